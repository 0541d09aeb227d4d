// Package store keeps the root file systems of guests: it makes one from an
// image, opens it for a start with the guest's ids mapped in, shows it on the
// host, and deletes it. There are three backends: dir (a copy), overlay (a
// layer upon the image) and btrfs (a snapshot).
//
// It is not for what is inside a root file system (package safefs reads and
// writes there), not for building images, and knows nothing of processes,
// except to say who keeps a root busy.
//
// Ids on disk are the guest's own, unshifted. A guest's directory has
//
//	GUESTDIR/rootfs         the tree (dir, btrfs), or where it is shown (overlay)
//	GUESTDIR/upper, work    overlay's own layer
//	GUESTDIR/.superblock    overlay only, and rarely: see linger.go
//
// What is mounted on rootfs/ of an overlay guest:
//
//	           MountPlain                Unmount
//	nothing ───────────────▶ plain ids ───────────┐
//	   ▲                                          ▼
//	   │       Unmount                         nothing
//	   └─────────────────── shifted ids ◀─────────┘
//	                                     OpenRoot, Expose
//
// Upper must never be in two live superblocks, so Unmount ends only when the
// one that it took off is dead, not merely out of sight. What others' mount
// namespaces have copied is detached; who uses it is named. For the next boot of
// a guest the root with shifted ids can stay, with who sits in it: see Reuse.
//
// The caller holds the guest's lock: two calls for one guest at a time are a
// race. Calls for different guests are not.
//
// A guest's directory belongs to root alone, but the trees in it are hostile.
// They are reached by directory descriptors and openat2, one component at a
// time, never through a link and never across a mount.
package store
