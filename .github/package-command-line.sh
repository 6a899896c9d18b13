#!/usr/bin/env bash
# Packs a built command line with its manual pages and completions: package-command-line.sh PROGRAM SYSTEM.
set -euo pipefail
program="$1" system="$2"
name="snapferry-cli-${GITHUB_REF_NAME#v}-$system"
mkdir -p "$name/share/man/man1" "$name/share/completions"
"$program" man --all "$name/share/man/man1"
for shell in bash zsh fish; do
  "$program" completions "$shell" > "$name/share/completions/snapferry.$shell"
done
cp "$program" README.md LICENSE-APACHE LICENSE-MIT "$name"
tar -czf "$name.tar.gz" "$name"
