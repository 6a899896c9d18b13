#!/bin/sh
# Prints which release a build of this checkout is: the version, and, unless its commit has the tag of that version, the
# commit too. Without git it is the version alone.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=
if [ -z "$commit" ] || [ "$(git tag --points-at HEAD --list "v$version")" ]; then
  echo "$version"
else
  echo "$version+$commit"
fi
