package mend

import "testing"

// TestKindOf: what a path leads to is told by its mount's number, not by what else has that
// path: mounts hidden below a later one have it, too.
func TestKindOf(t *testing.T) {
	const list = `20 1 0:22 / /proc rw - proc proc rw
30 20 0:40 /meminfo /proc/meminfo ro - fuse.views views rw
31 30 0:41 /meminfo /proc/meminfo ro - fuse.views views rw
32 31 0:50 /mine /proc/meminfo rw master:1 - tmpfs none rw
40 20 0:40 /with\040space /proc/stat ro shared:3 - fuse.views views rw
`
	for _, c := range []struct {
		id   uint64
		path string
		want kind
	}{
		{20, "/proc/meminfo", isBare}, {30, "/proc/meminfo", isDead}, {31, "/proc/meminfo", isNew},
		{32, "/proc/meminfo", isOther}, {40, "/proc/stat", isDead}, {3, "/proc/stat", isBare},
	} {
		if got := kindOf(list, c.id, c.path, "fuse.views", "0:41"); got != c.want {
			t.Errorf("mount %d at %s is %d, want %d", c.id, c.path, got, c.want)
		}
	}
}
