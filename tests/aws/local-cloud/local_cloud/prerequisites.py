"""What has to be there before anything can be built, and one sentence for whatever is not.

Run as a script it checks and exits 1 if something is missing. It must work with any Python 3 and with nothing
installed, because it is asked before the virtual environment exists: standard library and old syntax only.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

OLDEST_PYTHON = (3, 10)
# The MSRV of the workspace (`rust-version` in the root manifest).
OLDEST_RUST = (1, 94)


def missing() -> "list[str]":
    """One sentence for each thing that is missing; an empty list if all is well."""
    sentences = []
    if not sys.platform.startswith("linux"):
        sentences.append("This runs on Linux only: the Lambda functions are started as Linux programs.")
    if sys.version_info < OLDEST_PYTHON:
        sentences.append(
            "Python {}.{} or newer is needed, this is {}.{}: install a newer one and call "
            "`make PYTHON=/path/to/python3 ...`.".format(*(OLDEST_PYTHON + tuple(sys.version_info[:2])))
        )
    elif not _has_venv():
        sentences.append(
            "Python's venv module is missing: install it (on Debian and Ubuntu, the package python3-venv)."
        )
    sentences.extend(_missing_rust())
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CC") or "cc", "cc", "gcc", "clang")):
        sentences.append("A C compiler is missing: install gcc or clang (on Debian and Ubuntu, build-essential).")
    if not shutil.which("make"):
        sentences.append("make is missing: install it with your system's packages.")
    return sentences


def _has_venv() -> bool:
    # Debian leaves out ensurepip, not venv itself.
    return all(importlib.util.find_spec(module) for module in ("ensurepip", "venv"))


def _missing_rust() -> "list[str]":
    install = "install Rust with rustup (https://rustup.rs)."
    if not shutil.which("cargo") or not shutil.which("rustc"):
        return ["cargo and rustc are missing: " + install]
    said = subprocess.run(
        ["rustc", "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    found = re.search(r"rustc (\d+)\.(\d+)", said.stdout)
    if said.returncode != 0 or not found:
        return ["rustc does not start ({}): {}".format(said.stdout.strip() or "no message", install)]
    version = (int(found.group(1)), int(found.group(2)))
    if version < OLDEST_RUST:
        return ["Rust {}.{} or newer is needed, this is {}.{}: run `rustup update`.".format(*(OLDEST_RUST + version))]
    return []


if __name__ == "__main__":
    found_missing = missing()
    for sentence in found_missing:
        print(sentence, file=sys.stderr)
    sys.exit(1 if found_missing else 0)
