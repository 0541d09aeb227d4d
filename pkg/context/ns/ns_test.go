package ns

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestIDRange(t *testing.T) {
	for _, c := range []struct {
		r  IDRange
		ok bool
	}{
		{IDRange{1000000, 65536}, true},
		{IDRange{0, 65536}, false},
		{IDRange{1000000, 0}, false},
		{IDRange{1<<32 - 65536, 65536}, false},
		{IDRange{1<<32 - 65537, 65536}, true},
		{HostIDs(), true},
		{IDRange{0, 1<<32 - 2}, false},
	} {
		if err := c.r.Check(); (err == nil) != c.ok {
			t.Errorf("%v.Check() = %v", c.r, err)
		}
	}
}

func TestCloneFlags(t *testing.T) {
	own := IDRange{1000000, 65536}
	if CloneFlags(own, false)&unix.CLONE_NEWNET != 0 || CloneFlags(own, true)&unix.CLONE_NEWNET == 0 {
		t.Error("the network namespace does not follow its argument")
	}
	if CloneFlags(own, true)&unix.CLONE_NEWUSER == 0 {
		t.Error("no user namespace")
	}
	if host := CloneFlags(HostIDs(), true); host != CloneFlags(own, true)&^unix.CLONE_NEWUSER || HostIDs().Map() != nil {
		t.Errorf("the host's ids: flags %#x, map %v", host, HostIDs().Map())
	}
}
