"""What the template says of the functions."""

from __future__ import annotations

import re

from local_cloud import layout


def functions() -> list[str]:
    """The functions' names, from the template: a sixth one is measured, or at least missed, too."""
    return re.findall(r"^ *BuildProperties: *{ *Binary: *([a-z-]+) *}", layout.TEMPLATE.read_text(), re.MULTILINE)


def architecture() -> str:
    """What they are built for, `x86_64` or `arm64`."""
    found = re.findall(r"^ *Architectures: *\[(\w+)\]", layout.TEMPLATE.read_text(), re.MULTILINE)
    assert len(found) == 1, f"one architecture for all functions, not {found}"
    return found[0]
