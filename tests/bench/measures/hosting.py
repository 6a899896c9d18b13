"""What is measured, and what it runs against: the binaries that would be deployed, their settings, a simulator."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import subprocess
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from local_cloud import layout
from local_cloud.simulator import Simulator
from local_cloud.supervisor import die_with_parent


def set_aside(name: str, folder: Path) -> Path:
    """Copies a function out of where builds put it: one that runs meanwhile would have half a file measured."""
    built = layout.ROOT / "target" / "lambda" / name / "bootstrap"
    copy = folder / "functions" / name / "bootstrap"
    deadline = time.monotonic() + 60
    content = b""
    while True:
        before, content = content, built.read_bytes()
        if content == before and _is_whole(content):
            break
        assert time.monotonic() < deadline, f"{built} keeps changing, or is no whole binary: is a build running?"
        time.sleep(0.1)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    copy.write_bytes(content)
    copy.chmod(0o755)
    return copy


def _is_whole(binary: bytes) -> bool:
    """Whether an ELF file reaches to the end of its section table, which is its end."""
    if len(binary) < 64 or binary[:4] != b"\x7fELF":
        return False
    (table,) = struct.unpack_from("<Q", binary, 0x28)
    size, count = struct.unpack_from("<HH", binary, 0x3A)
    return table > 0 and table + size * count <= len(binary)


def zipped_bytes(binary: Path) -> int:
    """The size of a function's deployment package."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        package.write(binary, "bootstrap")
    return len(archive.getvalue())


@contextlib.contextmanager
def running(simulator: Path, log: Path) -> Iterator[Simulator]:
    """The RDS simulator on a free port, for the length of a `with` block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(simulator), "--listen", "127.0.0.1:0"],
            env=layout.clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            preexec_fn=die_with_parent,
        )
    assert process.stdout is not None
    try:
        yield Simulator(json.loads(process.stdout.readline())["listening"])
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@contextlib.contextmanager
def answering(status: int, content_type: str, body: bytes) -> Iterator[str]:
    """A service that has one answer to every call. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def watch_settings(simulator: Simulator) -> dict[str, str]:
    """The same for the functions of the destination region. There is no Systems Manager in the simulator."""
    shared = {
        name: value
        for name, value in settings(simulator).items()
        if name.startswith("AWS_") or name in ("PATH", "LANG", "OWNER_ID", "DATABASE_METRICS")
    }
    return {
        **shared,
        "AWS_REGION": layout.DESTINATION_REGION,
        "AWS_DEFAULT_REGION": layout.DESTINATION_REGION,
        "AWS_ENDPOINT_URL_SSM": simulator.url,
        "AWS_ENDPOINT_URL_SFN": simulator.url,
        "SOURCE_REGION": layout.SOURCE_REGION,
        "STACK_NAME": f"{layout.STACK}-watch",
        "DRILL_COPY_MACHINE": f"{layout.STACK}-watch-drill-copy",
        "DRILL_SUBNET_GROUP": "drills",
        "DRILL_SECURITY_GROUP": "sg-0123456789abcdef0",
    }


def settings(simulator: Simulator) -> dict[str, str]:
    """What Lambda and the stack set for every function, with RDS and KMS at the simulator."""
    return {
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LANG": "en_US.UTF-8",
        "AWS_REGION": layout.SOURCE_REGION,
        "AWS_DEFAULT_REGION": layout.SOURCE_REGION,
        "AWS_ACCESS_KEY_ID": layout.OPERATOR_KEY,
        "AWS_SECRET_ACCESS_KEY": layout.OPERATOR_SECRET,
        "AWS_SESSION_TOKEN": "any",
        "AWS_ENDPOINT_URL_RDS": simulator.url,
        "AWS_ENDPOINT_URL_KMS": simulator.url,
        "OWNER_ID": layout.OWNER_ID,
        "DESTINATION_REGION": layout.DESTINATION_REGION,
        "DESTINATION_KMS_KEY_ARN": layout.KEY_ARN,
        "ALLOWED_KMS_KEY_ARNS": "",
        "OPTION_GROUPS": "",
        "KEEP_COPIES": "3",
        "KEEP_DAYS": "0",
        "KEEP_DAILY": "0",
        "KEEP_WEEKLY": "0",
        "KEEP_MONTHLY": "0",
        "KEEP_YEARLY": "0",
        "RETIRED_KEEP_DAYS": "0",
        "MAX_DELETES_PER_RUN": "2",
        "COPY_DEADLINE_HOURS": "72",
        "SLOT_WAIT_HOURS": "36",
        "SELECTION": "opt-out",
        "INCLUDE_MANUAL_SNAPSHOTS": "false",
        "INCLUDE_NEPTUNE": "false",
        "INCLUDE_DOCUMENTDB": "false",
        "DRY_RUN": "false",
        "PAGE_SIZE": "500",
        "STACK_NAME": layout.STACK,
        "DATABASE_METRICS": "true",
    }
