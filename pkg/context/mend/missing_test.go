package mend

import (
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	// As a kernel 6.18 showed it of a guest whose root had unmounted one and put something else over another.
	const mountinfo = `273 272 0:93 / /dev/.sysct/views ro,nosuid shared:212 - fuse.sysct sysct ro,user_id=1655360
300 274 0:93 /cpuinfo /proc/cpuinfo ro,nosuid,nodev shared:197 - fuse.sysct sysct ro,user_id=1655360
301 274 0:94 / /proc/stat ro,nosuid,nodev shared:198 - tmpfs tmpfs rw
306 280 0:93 /cpu /sys/devices/system/cpu ro,nosuid shared:217 - fuse.sysct sysct ro,user_id=1655360
`
	views := []string{"proc/meminfo", "proc/cpuinfo", "proc/stat", "sys/devices/system/cpu"}
	if got, want := Missing(mountinfo, views, "sysct"), []string{"proc/meminfo", "proc/stat"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Missing(mountinfo, views[1:2], "sysct"); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if got := Missing("", views, "other"); !slices.Equal(got, views) {
		t.Errorf("got %q", got)
	}
}
