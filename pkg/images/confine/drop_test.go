package confine

import (
	"slices"
	"testing"
)

func TestGuestMounts(t *testing.T) {
	table := `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
50 27 0:40 / /var/lib/sysct/web/rootfs rw - overlay sysct-plain/web rw,lowerdir=/x
51 27 0:41 / /var/lib/docker/a rw - overlay overlay rw
52 27 0:42 / /srv/a\040b/rootfs rw shared:3 - overlay sysct/web rw
`
	want := []string{"/srv/a b/rootfs", "/var/lib/sysct/web/rootfs"}
	if got := guestMounts(table); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
