#!/bin/sh
# lint.sh GO: gofmt, go vet with and without failpoints and the cases for test machines, staticcheck. All of them run
# before the first complaint counts.
set -u
cd "$(dirname "$0")/../.." || exit 1
go=$1
failed=0

unformatted=$("$("$go" env GOROOT)/bin/gofmt" -l cmd etc internal pkg templates)
[ -z "$unformatted" ] || { echo "not formatted (make fmt):" $unformatted; failed=1; }
"$go" vet ./... || failed=1
"$go" vet -tags failpoints ./pkg/guest/... ./pkg/context/... || failed=1
"$go" vet -tags vm ./internal/vm/... || failed=1
"$go" tool staticcheck ./... || failed=1
"$go" tool staticcheck -tags vm ./internal/vm/... || failed=1
exit $failed
