// Package idledger hands out the host's user and group ids to guests: ranges of
// one size, disjoint over all guests and all instances of a host. The ledger is
// one file under one lock. It maps nothing and knows no guest but the path of
// its directory.
package idledger
