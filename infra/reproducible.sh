#!/usr/bin/env bash
# Whether a release is the same bytes wherever it is built: compares target/release-artifacts with what a clone of this
# commit makes of itself, at another path and with the sources of the crates at another path. It builds everything anew.
set -euo pipefail
cd "$(dirname "$0")/.."
test -z "$(git status --porcelain)" || { echo "commit first: a clone has what is committed" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
clone="$work/somewhere-else/snapferry"
git clone --quiet . "$clone"
mkdir -p "$work/crates/registry"
for part in cache index; do
  ln -s "${CARGO_HOME:-$HOME/.cargo}/registry/$part" "$work/crates/registry/$part"
done
PATH="$PWD/.venv/bin:$PATH" CARGO_HOME="$work/crates" python "$clone/infra/release.py" "$@" > /dev/null
diff --recursive target/release-artifacts "$clone/target/release-artifacts"
echo "the same bytes"
