package main

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/nettest"
)

// The host service brings back a bridge as soon as it is deleted, and the rest soon.
func TestHostServiceKeepsNetworks(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		top, sysct := instance(t)
		t.Cleanup(func() { sysct("net", "down", "--all") })
		sysct("net", "up", "sysctbr0")
		h := serveHost(t, top, nil)
		h.says("the host service runs")
		bridge := ""
		for line := range strings.Lines(sysct("net", "show", "sysctbr0")) {
			if device, is := strings.CutPrefix(line, "device:"); is {
				bridge = strings.TrimSpace(device)
			}
		}
		nettest.Run(t, "nft", "flush", "ruleset")
		nettest.Run(t, "ip", "link", "delete", bridge)
		h.says("repaired: network sysctbr0: bridge " + bridge)
		h.says("repaired: network sysctbr0: dnsmasq")
		h.says("repaired: network sysctbr0: packet filter table sysct_")
		if out := sysct("net", "ls"); !strings.Contains(out, "sysctbr0  UP ") {
			t.Errorf("after the repair: %s", out)
		}
		h.end(unix.SIGTERM)
		if out := sysct("net", "ls"); !strings.Contains(out, "sysctbr0  UP ") {
			t.Errorf("after the service's end: %s", out)
		}
	})
}
