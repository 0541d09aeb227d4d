// Package views renders what a guest sees of the machine: pure functions from
// figures of the kernel to the bytes of a virtual file. It knows how a file
// looks and what its figures mean, not how it is served and not where the
// figures come from (views/figures).
//
// [Files] is the table of all files. A [Snapshot] has all figures of one moment;
// what renders the same snapshot agrees with what else does.
package views
