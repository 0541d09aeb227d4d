#!/bin/sh
# test.sh GO [go test's arguments]: the linters, then the tests of all packages, then those
# in emulated machines with systemd but for the long ones. One package at a time: many of them use cgroups, id
# ranges and mounts of the host, and the time of one isn't to be the load of another.
set -u
cd "$(dirname "$0")/../.." || exit 1
go=$1
shift
[ "$(id -u)" = 0 ] || { echo "make test: only root can run guests, and so the tests" >&2; exit 1; }
PATH="$(dirname "$go"):${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin" # tests call go and mkfs
export PATH

begin=$(date +%s)
failed=0
internal/build/lint.sh "$go" || failed=1
linted=$(date +%s)
echo "lint	$((linted - begin))s"
"$go" test -p 1 -count=1 -timeout 60m "$@" ./... || failed=1
tested=$(date +%s)
make --no-print-directory test-vm GO="$go" CASES="usual|." || failed=1
end=$(date +%s)
[ $failed = 0 ] && word=passed || word=FAILED
echo "$word: tests $((tested - linted))s, machines $((end - tested))s, total $((end - begin))s"
exit $failed
