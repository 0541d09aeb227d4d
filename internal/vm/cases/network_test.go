//go:build vm

package cases

import (
	"os"
	"testing"
)

// A network's dnsmasq is a unit, which systemd restarts; the host service keeps the rest; the
// next boot of the host brings all of it back as it was.
func TestNetworkUnits(t *testing.T) {
	const (
		notes  = "/var/tmp/addresses"
		leases = `sysct net show sysctbr0 | sed -n '/^ipv/p; /^[ab] /{s/ \*/  /; p}'`
		meet   = "sysct exec a -- ping -c 1 -W 5 b.sysct"
		dns    = "sysct-dns@sysctbr0.service"
	)
	if boot(t) == 1 {
		soon(t, "sysct wait -t 1 a RUNNING && sysct wait -t 1 b RUNNING")
		before, err := os.ReadFile(notes)
		if err != nil {
			t.Fatal(err)
		}
		want(t, leases, string(before))
		soon(t, meet)
		want(t, "systemctl is-active "+dns, "active")
		return
	}
	sh(t, "for g in a b; do sysct create $g -t busybox --net sysctbr0 && sysct enable -q $g && sysct start $g; done")
	sh(t, meet)
	want(t, "systemctl is-active "+dns, "active")
	sh(t, "systemctl reload "+dns)
	pid := sh(t, "systemctl show -p MainPID --value "+dns)
	sh(t, "kill -9 "+pid)
	soon(t, "! systemctl show -p MainPID --value "+dns+" | grep -qx -e 0 -e "+pid)
	soon(t, meet)
	sh(t, "systemctl enable --now sysct")
	sh(t, "ip link delete sysctbr0")
	soon(t, meet)
	want(t, "sysct net down sysctbr0 2>&1 >/dev/null | head -n 1; sysct net repair; systemctl --failed --no-legend", "sysct: net down: network sysctbr0 is in use by a, b")
	if err := os.WriteFile(notes, []byte(sh(t, leases)), 0o600); err != nil {
		t.Fatal(err)
	}
	reboot(t)
}
