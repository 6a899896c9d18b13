"""The day on which the source region is lost: endpoints that answer for one region only."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Filter(ThreadingHTTPServer):
    """An endpoint of which one region is left: calls signed for another end as with a server that is gone."""

    def __init__(self, endpoint: str, region: str) -> None:
        super().__init__(("127.0.0.1", 0), FilteredCall)
        self.endpoint = endpoint
        self.region = region
        self.passed: list[str] = []
        self.refused: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class FilteredCall(BaseHTTPRequestHandler):
    """One call: handed on, or the connection is reset."""

    server: Filter
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        # Credential=KEY/20261122/eu-central-1/rds/aws4_request
        region = self.headers["authorization"].split("/")[2]
        if region != self.server.region:
            self.server.refused.append(region)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.server.passed.append(region)
        hop = {"host", "connection", "content-length", "accept-encoding"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in hop}
        request = urllib.request.Request(self.server.endpoint, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, said, kind = answer.status, answer.read(), answer.headers.get("content-type", "text/xml")
        except urllib.error.HTTPError as error:
            status, said, kind = error.code, error.read(), error.headers.get("content-type", "text/xml")
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def left_of(endpoint: str, region: str) -> Iterator[Filter]:
    """What is left of an endpoint when every region but this one is lost."""
    server = Filter(endpoint, region)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
