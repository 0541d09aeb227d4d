#!/bin/sh
# find-go.sh [GO...]: finds a Go that is new enough for go.mod. Prints "ok PATH",
# or "no" and what it found instead. A Go that isn't in PATH is looked for where its
# own installer and Debian's packages put it.
set -u
cd "$(dirname "$0")/../.." || exit 1

want=$(sed -n 's/^go \([0-9.]*\)$/\1/p' go.mod)
found=""
for go in "$@" "$(command -v go)" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go; do
    [ -n "$go" ] && [ -x "$go" ] || continue
    # local: an older Go must not fetch a newer one by itself and seem to be it.
    version=$(GOTOOLCHAIN=local GOFLAGS='' "$go" version 2>/dev/null |
        sed -n 's/^go version go\([0-9.]*\).*/\1/p')
    if [ -n "$version" ] && [ "$(printf '%s\n' "$want" "$version" | sort -V | head -n 1)" = "$want" ]; then
        echo "ok $go"
        exit 0
    fi
    found="$found${found:+, }$go is ${version:-none of it}"
done
echo "no ${found:-none in PATH and none in /usr/local/go}"
