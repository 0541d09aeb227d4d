// Package space is what a guest's context knows of its network: whether it has a namespace of
// its own, and what program sets that up. It is linked by the program that monitors are, so
// it links next to nothing.
package space
