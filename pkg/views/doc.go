// Package views renders what a guest sees of the machine: pure functions from
// figures of the kernel to the bytes of a virtual file. It knows how a file
// looks, not how it is served and not where the figures come from.
package views
