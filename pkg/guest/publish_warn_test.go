package guest

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/sysct/sysct/pkg/guest/spec"
)

func TestPublishWarnings(t *testing.T) {
	host := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	g := spec.Default()
	for _, a := range []string{"", "192.0.2.1", "2001:db8:0::1", "192.0.2.9", "0.0.0.0"} {
		g.Publish = append(g.Publish, spec.Publish{Address: a})
	}
	want := []string{"publish[3].address: the host has no address 192.0.2.9 now: nothing comes to the port before it has"}
	if got := publishWarnings(spec.Default(), g, host); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := publishWarnings(g, g, host); len(got) > 0 {
		t.Errorf("warned again: %q", got)
	}
}
