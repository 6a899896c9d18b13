"""A running simulator for the conformance tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from conformance.sdks import Simulator, executable


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """One simulator for all tests; each seeds it anew."""
    binary = executable("-p", "rds-simulator", "--bin", "rds-simulator")
    conformance = executable("-p", "rds-simulator-sdk", "--example", "conformance")
    process = subprocess.Popen([binary, "--parent-pid", str(os.getpid())], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Simulator(ready["listening"], conformance)
    finally:
        process.terminate()
        process.wait(timeout=10)
