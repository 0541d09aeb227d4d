package confine

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// guestSource begins the source of every overlay that is a guest's root, as
// package store mounts them.
const guestSource = "sysct"

// dropGuests detaches the guests' overlays from the calling thread's mount
// namespace. A copy that lives as long as a build does would keep their
// superblocks alive after the guests have stopped, and one upper is never to be
// in two of them.
func dropGuests() error {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	for _, target := range mountPoints(string(table), isGuests) {
		if err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return nil
}

func isGuests(_, kind, source string) bool {
	return kind == "overlay" && strings.HasPrefix(source, guestSource)
}

// mountPoints finds those that are wanted, the last mounted first.
// Source: proc_pid_mountinfo(5).
func mountPoints(table string, wanted func(point, kind, source string) bool) []string {
	var targets []string
	for line := range strings.Lines(table) {
		left, right, found := strings.Cut(line, " - ")
		fields, kind := strings.Fields(left), strings.Fields(right)
		if !found || len(fields) < 5 || len(kind) < 2 {
			continue
		}
		if point := unescape(fields[4]); wanted(point, kind[0], kind[1]) {
			targets = append([]string{point}, targets...)
		}
	}
	return targets
}

// unescape undoes the table's octal escapes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
