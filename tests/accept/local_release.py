"""A release of the functions that the local cloud runs, so that nothing is built for it."""

from __future__ import annotations

import importlib.util
import re
import zipfile
from pathlib import Path
from typing import Any

from local_cloud import layout


def write(folder: Path) -> Path:
    """Writes it to a folder."""
    spec = importlib.util.spec_from_file_location("release", layout.ROOT / "infra" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Nobody downloads these.
    module.write_zip = _write_zip_quickly
    programs = layout.ROOT / "target" / "lambda"
    binaries = {name: (programs / name / "bootstrap").read_bytes() for name in module.programs()}
    module.write_release(folder, binaries, "x86_64", f"{version()}+accept")
    return folder


def _write_zip_quickly(path: Path, binary: bytes) -> None:
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, binary, compresslevel=1)


def version() -> str:
    """The version that is being worked on."""
    found = re.search(r'^version = "(.+)"$', (layout.ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]
