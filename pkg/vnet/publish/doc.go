// Package publish gives ports of the host to a guest: it refuses those that somebody
// else has, puts the rest into the instance's table of nft, and runs the relay of those
// that are wanted on the loopback addresses too, where nothing is forwarded by the kernel.
//
//	Up: free? ──▶ table ──▶ relay          Down: relay ──▶ table
//	     │
//	     ├─ other guests, of this instance and others   (package nft)
//	     └─ programs of the host                        (bind(2))
//
// It runs in sysct-net, in the host's network namespace, and knows no configurations.
package publish
