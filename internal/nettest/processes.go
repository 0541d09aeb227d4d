package nettest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// inSpaces gives the processes of the machine that are in one of some network or mount
// namespaces, by their inode numbers. One that has ended and waits for its parent is in
// none.
func inSpaces(inodes []uint64) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		for _, kind := range []string{"net", "mnt"} {
			var st unix.Stat_t
			if unix.Stat(filepath.Join("/proc", e.Name(), "ns", kind), &st) == nil && slices.Contains(inodes, st.Ino) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}
