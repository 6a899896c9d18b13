"""A release of the functions that the local cloud runs, so that nothing is built for it."""

from __future__ import annotations

import re
from pathlib import Path

from local_cloud import layout, release


def write(folder: Path) -> Path:
    """Writes it to a folder."""
    return release.write(folder, f"{version()}+accept")


def version() -> str:
    """The version that is being worked on."""
    found = re.search(r'^version = "(.+)"$', (layout.ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]
