//go:build protocol1

package control

// newest is as in the first programs: tests build a helper that can't do more.
const newest = 1
