"""Hosts one Lambda function: the Runtime API that Lambda offers to it, and the function's process.

What is not here, because nothing of it is measured: freezing between events, extensions, several instances.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import subprocess
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

Json = Any

VERSION = "/2018-06-01/runtime"
START_SECONDS = 20
EVENT_SECONDS = 120
"""As long as the functions may take on AWS, the longest one aside."""


class FunctionDied(Exception):
    """The process ended, or could not begin; the message holds what it printed."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a function answered to an event."""

    payload: Json
    """Its output; or, of an error, the object with `errorType` and `errorMessage`."""
    failed: bool
    seconds: float
    """From handing over the event to the answer; for an event that waited for the process, from the process's start."""

    @property
    def output(self) -> Json:
        """The output of an event that has to succeed."""
        assert not self.failed, f"the function answered with an error: {self.payload}"
        return self.payload

    @property
    def error(self) -> str:
        """The error's name, as Retry and Catch of a state machine see it."""
        assert self.failed, f"an error was expected, the function answered: {str(self.payload)[:300]}"
        return self.payload["errorType"]

    @property
    def message(self) -> str:
        """The error's text."""
        assert self.failed, f"an error was expected, the function answered: {str(self.payload)[:300]}"
        return self.payload["errorMessage"]


class Function:
    """A function's process and the Runtime API that it asks for events. Use it in a `with` block.

    It is ready, as Lambda sees it, once it has asked for its first event.
    """

    def __init__(self, binary: Path, environment: dict[str, str], log: Path, memory_mb: int = 256) -> None:
        self.name = binary.parent.name
        self.log = log
        self.start_seconds = 0.0
        """From the start of the process to its first request for an event."""
        self._events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bool, Json, float]] = queue.Queue()
        self._asked = threading.Semaphore(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._binary = binary
        self._environment = {
            **environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": f"measures-{self.name}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/measures-{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "measures",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "LAMBDA_TASK_ROOT": str(binary.parent),
            "_HANDLER": "bootstrap",
            "TZ": ":UTC",
        }

    def __enter__(self) -> Function:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        # Nothing is run between fork and exec, so that the fork is a cheap one. If this process is killed, the function
        # ends on its own: its Runtime API is gone.
        try:
            with self.log.open("wb") as output:
                self._began = time.monotonic()
                self._process = subprocess.Popen(
                    [str(self._binary)],
                    env=self._environment,
                    cwd=self._binary.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            self._wait_until_it_asks(START_SECONDS)
        except BaseException:
            self._close()
            raise
        self.start_seconds = time.monotonic() - self._began
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def invoke(self, event: Json) -> Answer:
        """Hands over one event and returns once the function has answered **and** asked for the next one."""
        return self.invoke_bytes(json.dumps(event).encode())

    def invoke_bytes(self, event: bytes) -> Answer:
        """The same with bytes that may be anything."""
        began = time.monotonic()
        answer = self._answer(self.send(event), began)
        self._wait_until_it_asks(START_SECONDS)
        return answer

    def first_answer(self, request: str) -> Answer:
        """The answer to an event that was handed over before the process was started: a cold start, the whole of it."""
        return self._answer(request, self._began)

    def send(self, event: bytes) -> str:
        """Hands over an event without waiting. Returns its request id."""
        request = str(uuid.uuid4())
        self._events.put((request, event))
        return request

    def send_json(self, event: Json) -> str:
        """The same with JSON."""
        return self.send(json.dumps(event).encode())

    def cpu_seconds(self) -> float:
        """The time that its threads have run so far. Unlike the clock's it does not grow when the machine is busy."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def peak_memory_bytes(self) -> int:
        """The most memory that the process has had resident so far (`VmHWM`)."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise FunctionDied(f"{self.name} has no memory any more: {self.said()}")

    def terminate(self, seconds: float = 5) -> int:
        """Asks the process to end (SIGTERM) and returns its exit status; -15 is death by that very signal."""
        self._process.terminate()
        return self._process.wait(seconds)

    def said(self) -> str:
        """Everything that it printed so far."""
        return self.log.read_text(errors="replace")

    def _answer(self, request: str, began: float) -> Answer:
        while True:
            try:
                answered, failed, payload, at = self._answers.get(timeout=0.1)
                break
            except queue.Empty:
                self._check(began + EVENT_SECONDS, "answered")
        assert answered == request, f"event {request} was answered as {answered}"
        return Answer(payload, failed, at - began)

    def _wait_until_it_asks(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._asked.acquire(timeout=0.1):
            self._check(deadline, "asked for an event")

    def _check(self, deadline: float, expected: str) -> None:
        status = self._process.poll()
        if status is not None:
            raise FunctionDied(f"{self.name} ended with status {status} before it {expected}:\n{self.said()}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{self.name} has not {expected} in time:\n{self.said()}")

    def _close(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()


def _handler(function: Function) -> type[BaseHTTPRequestHandler]:
    """The four calls of the Runtime API that a function makes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A reply in one packet: the second of two would wait for the first to be acknowledged, for up to 40 ms.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path != f"{VERSION}/invocation/next":
                self._reply(404)
                return
            function._asked.release()
            event = function._events.get()
            if event is None:
                self.close_connection = True
                return
            request, body = event
            self._reply(
                200,
                body,
                {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": request,
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + EVENT_SECONDS) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": (
                        f"arn:aws:lambda:eu-west-1:123456789012:function:measures-{function.name}"
                    ),
                    "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            at = time.monotonic()
            parts = self.path.removeprefix(f"{VERSION}/").split("/")
            if parts == ["init", "error"]:
                # The process ends on its own after this, which is what the test gets to see.
                self._reply(202)
            elif len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
                function._answers.put((parts[1], parts[2] == "error", json.loads(body), at))
                self._reply(202)
            else:
                self._reply(404)

        def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass  # What the function prints is log enough.

        def handle(self) -> None:
            # The function may have been killed in the middle of a call.
            with contextlib.suppress(ConnectionError):
                super().handle()

    return Handler
