//go:build !protocol1

package control

// newest is the version that this build speaks at most.
const newest = 3
