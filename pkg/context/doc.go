// Package context is the parent's side of a context: it clones the stage into
// new namespaces and the guest's control group, maps its ids, builds its root
// and /dev, hands both over, and gives back the guest's init as a pidfd with its
// terminals. It runs on the host only; what runs inside is package stage.
//
// The name shadows the standard library's: it is imported as sysctx.
package context
