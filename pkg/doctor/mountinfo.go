package doctor

import (
	"strconv"
	"strings"
)

// typeOfMount finds a mount's file system in mountinfo; see proc_pid_mountinfo(5).
func typeOfMount(mountinfo string, id uint64) string {
	want := strconv.FormatUint(id, 10)
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(line, " - ")
		mount, _, _ := strings.Cut(before, " ")
		kind, _, ok := strings.Cut(after, " ")
		if ok && mount == want {
			return kind
		}
	}
	return "unknown"
}
