package store

import (
	"fmt"
	"strings"
)

// maxNamed is how many holders an error's text names.
const maxNamed = 8

// Holder is somebody who keeps a root file system busy.
type Holder struct {
	Pid     int    // 0: not a process, but a mount
	Command string // its comm, control characters replaced; "" for a mount
	What    string // how: "cwd", "root", "fd 5", "mapped file", "mount namespace", or "mount on PATH"
}

// BusyError says who keeps rootfs/ from being unmounted.
type BusyError struct {
	Path    string // of rootfs
	Holders []Holder
}

// Error names the holders, as in
//
//	cannot unmount /var/lib/sysct/web/rootfs: rootfs is in use by bash (pid 123: cwd), a mount on /…
func (e *BusyError) Error() string {
	return fmt.Sprintf("cannot unmount %s: rootfs is in use by %s", e.Path, e.names())
}

func (e *BusyError) names() string {
	if len(e.Holders) == 0 {
		return "something that /proc doesn't show"
	}
	var names []string
	for i, h := range e.Holders {
		switch {
		case i == maxNamed:
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(e.Holders)-i)
		case h.Pid == 0:
			names = append(names, "a "+h.What)
		default:
			names = append(names, fmt.Sprintf("%s (pid %d: %s)", h.Command, h.Pid, h.What))
		}
	}
	return strings.Join(names, ", ")
}
