package mend

import (
	"slices"
	"strings"
)

// Missing lists those of the views that a list of mounts, that of a guest's init, doesn't
// have: the guest's root has unmounted them, or they couldn't be mounted. While any process
// of the guest has them in a mount namespace of its own the connection lives, and its server
// doesn't learn of it. source is that of their file system.
func Missing(mountinfo string, views []string, source string) []string {
	there := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		mount, super, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(super)
		if len(m) > 4 && len(s) > 0 && s[0] == "fuse."+source {
			there[m[4]] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(views), func(view string) bool { return there["/"+view] })
}
