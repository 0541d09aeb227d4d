package store

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// mountEntry is one line of a mountinfo file (proc_pid_mountinfo(5)).
type mountEntry struct {
	id, parent uint64
	dev        string // major:minor of the superblock
	point      string // where it is mounted, unescaped
	fsType     string
	source     string
}

// parseMountinfo leaves out lines that it doesn't understand: the kernel
// writes none, and one odd line must not hide the others.
func parseMountinfo(text []byte) []mountEntry {
	var entries []mountEntry
	for line := range bytes.Lines(text) {
		if e, ok := parseMountLine(string(line)); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// parseMountLine reads a line such as
//
//	36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda1 rw
func parseMountLine(line string) (mountEntry, bool) {
	// Blanks inside a field are escaped, so the first " - " is the separator.
	head, tail, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	left, right := strings.Split(head, " "), strings.Split(tail, " ")
	if !ok || len(left) < 6 || len(right) < 2 {
		return mountEntry{}, false
	}
	id, err1 := strconv.ParseUint(left[0], 10, 64)
	parent, err2 := strconv.ParseUint(left[1], 10, 64)
	if err1 != nil || err2 != nil {
		return mountEntry{}, false
	}
	return mountEntry{
		id: id, parent: parent, dev: left[2], point: unescapeMount(left[4]),
		fsType: unescapeMount(right[0]), source: unescapeMount(right[1]),
	}, true
}

// unescapeMount undoes the kernel's \ooo for blank, tab, newline and backslash.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ownMounts returns the mounts of the calling thread's mount namespace. It is
// the thread's, because some threads have one of their own (thread.go).
func ownMounts() ([]mountEntry, error) {
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot read the mounts: %w", err)
	}
	return parseMountinfo(text), nil
}

// findMount returns the mount with an id that statx gave.
func findMount(id uint64) (mountEntry, error) {
	mounts, err := ownMounts()
	if err != nil {
		return mountEntry{}, err
	}
	for _, m := range mounts {
		if m.id == id {
			return m, nil
		}
	}
	return mountEntry{}, fmt.Errorf("cannot find mount %d in this mount namespace", id)
}
