package confine

import (
	"slices"
	"testing"
)

func TestMountPoints(t *testing.T) {
	table := `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
50 27 0:40 / /var/lib/sysct/web/rootfs rw - overlay sysct-plain/web rw,lowerdir=/x
51 27 0:41 / /var/lib/docker/a rw - overlay overlay rw
52 27 0:42 / /srv/a\040b/rootfs rw shared:3 - overlay sysct/web rw
53 27 0:21 / /proc rw - proc proc rw
54 53 0:21 / /proc/sys ro - proc proc rw
55 27 0:21 / /srv/chroot/proc rw - proc proc rw
`
	want := []string{"/srv/a b/rootfs", "/var/lib/sysct/web/rootfs"}
	if got := mountPoints(table, isGuests); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := mountPoints(table, isFurtherProc); !slices.Equal(got, []string{"/srv/chroot/proc"}) {
		t.Errorf("proc mounts: %q", got)
	}
}
