#!/bin/sh
# version.sh [FILE]: prints the version: what git says, else the newest release in
# CHANGELOG.md. With FILE it is kept there as well, written only when it changed, so
# that make rebuilds for a new version and only then.
set -u
cd "$(dirname "$0")/../.." || exit 1

version=$(git describe --tags --always --dirty 2>/dev/null)
[ -n "$version" ] || version=$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | head -n 1)
[ -n "$version" ] || version=unreleased
if [ $# -gt 0 ] && [ "$(cat "$1" 2>/dev/null)" != "$version" ]; then
    mkdir -p "$(dirname "$1")" && echo "$version" >"$1"
fi
echo "$version"
