// Package link makes a guest's interfaces in its network namespace, with what belongs to
// them on the host's side, changes them while the guest runs, and takes them away. It works
// by a vnet.Setup, in which everything is chosen. It knows no configuration, and the
// networks only as far as a port is put on a bridge.
package link
