// Package ns knows the kernel's namespaces: the flags a guest is made with and
// how an id range maps. It starts no process.
package ns

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// CloneFlags are the namespaces that the guest's first process is cloned into.
// The time namespace is missing: it must be made before the user namespace, by
// unshare, so that the host owns it and can write its offsets. The cgroup
// namespace is missing: it is unshared by the child, after it has joined the v1
// hierarchies, so that their roots are the guest's own. A guest with the host's ids
// has no user namespace.
func CloneFlags(ids IDRange, privateNet bool) uintptr {
	flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC)
	if !ids.Host() {
		flags |= unix.CLONE_NEWUSER
	}
	if privateNet {
		flags |= unix.CLONE_NEWNET
	}
	return flags
}

// IDRange is a contiguous range of the host's user and group ids that a guest's
// ids 0..Size-1 map to. HostIDs are no map at all.
type IDRange struct {
	Base uint32 `json:"base"`
	Size uint32 `json:"size"`
}

// HostIDs are those of a privileged guest: each id is the host's own. 2^32-1 is no id but
// "unchanged" for the kernel.
func HostIDs() IDRange { return IDRange{Base: 0, Size: 1<<32 - 1} }

// Host says that the ids are the host's own, with no user namespace between.
func (r IDRange) Host() bool { return r == HostIDs() }

// Check refuses a range that wraps around, or that contains the host's id 0 and isn't HostIDs.
func (r IDRange) Check() error {
	if r.Host() {
		return nil
	}
	if r.Base == 0 {
		return fmt.Errorf("cannot map ids: the range begins with the host's id 0")
	}
	if r.Size == 0 || uint64(r.Base)+uint64(r.Size) > 1<<32-1 {
		return fmt.Errorf("cannot map ids: the range %d+%d does not fit into 32 bits", r.Base, r.Size)
	}
	return nil
}

// Map is the range as the one line of uid_map and gid_map; nil for the host's ids.
func (r IDRange) Map() []syscall.SysProcIDMap {
	if r.Host() {
		return nil
	}
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(r.Base), Size: int(r.Size)}}
}
