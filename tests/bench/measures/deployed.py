"""What the templates say of the functions."""

from __future__ import annotations

import re
from pathlib import Path

from local_cloud import layout


def functions() -> list[str]:
    """Names of the functions that copy, from their template: a sixth one is measured, or at least missed, too."""
    return _functions(layout.TEMPLATE)


def watch_functions() -> list[str]:
    """Those of the stack in the destination region."""
    return _functions(layout.WATCH_TEMPLATE)


def _functions(template: Path) -> list[str]:
    return re.findall(r"^ *BuildProperties: *{ *Binary: *([a-z-]+) *}", template.read_text(), re.MULTILINE)


def architecture() -> str:
    """What they are built for, `x86_64` or `arm64`."""
    found = re.findall(r"^ *Architectures: *\[(\w+)\]", layout.TEMPLATE.read_text(), re.MULTILINE)
    assert len(found) == 1, f"one architecture for all functions, not {found}"
    return found[0]
