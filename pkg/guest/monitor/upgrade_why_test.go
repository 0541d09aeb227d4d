package monitor

import (
	"strings"
	"testing"
)

// TestWhyBusy: an upgrade that is refused says what it waited for.
func TestWhyBusy(t *testing.T) {
	const guest, process = "starting, stopping", "process 7 of the guest keeps a thread"
	for _, c := range []struct {
		busy    bool
		hanging int
		want    string
	}{{true, 0, guest}, {false, 0, guest}, {true, 7, guest}, {false, 7, process}} {
		if got := whyBusy(c.busy, c.hanging).Error(); !strings.Contains(got, c.want) {
			t.Errorf("%v, %d: %s", c.busy, c.hanging, got)
		}
	}
}
