"""Serves MiniStack on a free loopback port and says which, in one line of JSON on standard output.

MiniStack itself wants to be told a port, and a port that was free a moment ago may not be free now. Here the socket
is bound first and MiniStack is started on it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from typing import Any


def select_in_conditions() -> None:
    """Lets MiniStack evaluate Fn::Select of Fn::Split in a template's Conditions: see test_divergences."""
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    evaluate = engine._evaluate_conditions

    def selected(node: Any, parameters: dict[str, Any]) -> Any:
        if isinstance(node, list):
            return [selected(one, parameters) for one in node]
        if not isinstance(node, dict):
            return node
        if "Fn::Select" in node:
            return engine._resolve_refs(node, {}, parameters, {}, {}, "", "")
        return {name: selected(value, parameters) for name, value in node.items()}

    def evaluate_conditions(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
        conditions = selected(template.get("Conditions", {}), parameters)
        return evaluate({**template, "Conditions": conditions}, parameters)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_conditions


def main() -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    # Read by MiniStack when it is imported. The functions call back to the endpoint.
    os.environ.update(
        GATEWAY_PORT=str(port),
        AWS_ENDPOINT_URL=endpoint,
        BIND_HOST="127.0.0.1",
        AUTH="true",
        # Two listeners that nobody here needs, on fixed ports and all interfaces.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        LAMBDA_EXECUTOR="local",
    )
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    select_in_conditions()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    stop = asyncio.Event()

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await serve(app, config, shutdown_trigger=stop.wait)

    print(json.dumps({"listening": endpoint}), flush=True)
    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
