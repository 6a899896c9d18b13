"""The browser of this machine, without a window: it judges the page of `snapferry audit`, and takes its picture.

playwright speaks to it, and downloads none of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import layout

NAMES = ("chromium", "chromium-browser", "google-chrome")

MISSING = "there is no Chromium: install it (on Debian, as root, apt-get install chromium)"

PICTURE_WIDTH, PICTURE_HEIGHT = 1100, 1400
"""CSS pixels: a reader of the README sees the answer, the ages and the beginning of the timeline."""


def found() -> str | None:
    """The path of an installed Chromium, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def started() -> Iterator[Any]:
    """A browser, which ends with the `with` block."""
    from playwright.sync_api import sync_playwright

    program = found()
    if not program:
        raise RuntimeError(MISSING)
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, nor in most containers; it opens one file, which was made here.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def axe() -> Any:
    """axe-core, which judges how accessible a page is."""
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def take_picture(page: Path, picture: Path) -> None:
    """Takes a picture of the upper part of a page, as small as its few colours allow."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    with started() as browser:
        opened = browser.new_page(viewport={"width": PICTURE_WIDTH, "height": PICTURE_HEIGHT}, color_scheme="light")
        opened.goto(page.resolve().as_uri())
        opened.screenshot(path=picture)


def main() -> None:
    """Takes the picture that the README shows, of the page that `make demo` left."""
    page = layout.ROOT / "target" / "demo" / "audit.html"
    if not found():
        raise SystemExit(MISSING)
    if not page.exists():
        raise SystemExit(f"{page.relative_to(layout.ROOT)} is not there: run `make demo` first")
    picture = layout.ROOT / "docs" / "images" / "audit.png"
    take_picture(page, picture)
    print(f"{os.path.relpath(picture, layout.ROOT)}: {picture.stat().st_size // 1024} KB", file=sys.stderr)


if __name__ == "__main__":
    main()
