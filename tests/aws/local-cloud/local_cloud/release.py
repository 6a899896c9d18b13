"""`infra/release.py`, and releases of the functions that the local cloud runs, so that nothing is built for them."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

from . import layout


def script() -> ModuleType:
    """What writes a release."""
    spec = importlib.util.spec_from_file_location("release", layout.ROOT / "infra" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder: Path, name: str, command_line: bytes | None = None) -> Path:
    """Writes a release of this name to a folder, whose zips nobody downloads."""
    module = script()
    module.write_zip = functools.partial(module.write_zip, level=1)  # type: ignore[attr-defined]
    programs = layout.ROOT / "target" / "lambda"
    binaries = {program: (programs / program / "bootstrap").read_bytes() for program in module.programs()}
    module.write_release(folder, binaries, "x86_64", name, command_line)
    return folder
