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
