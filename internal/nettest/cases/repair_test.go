package cases

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/nettest"
)

// testRepair breaks the network under running guests in every way, and has it repaired:
// they have what they had before.
func testRepair(t *testing.T, w *world) {
	bridge, _, _ := w.bridge(t)
	before := map[string]guest{}
	for _, name := range w.names() {
		before[name] = *w.look(t, name)
	}
	for _, fault := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"no name server", func(t *testing.T) { w.killNames(t) }},
		{"no tables", func(t *testing.T) { nettest.Run(t, "nft", "flush", "ruleset") }},
		{"no bridge", func(t *testing.T) { w.host.IP(t, "link del "+bridge.Name) }},
		{"bridge without address", func(t *testing.T) { w.host.IP(t, "addr flush dev "+bridge.Name) }},
		{"bridge down", func(t *testing.T) { w.host.IP(t, "link set "+bridge.Name+" down") }},
		{"no veth", func(t *testing.T) { w.host.IP(t, "link del "+w.hostSide(t, "web")) }},
		{"veth down", func(t *testing.T) {
			w.host.IP(t, "link set "+w.hostSide(t, "web")+" down")
			if out, _ := w.try("-q", "doctor"); !strings.Contains(out, "lacks interface eth0 of web") || !strings.Contains(out, "sysct net repair") {
				t.Errorf("doctor doesn't tell:\n%s", out)
			}
		}},
		{"veth off the bridge", func(t *testing.T) { w.host.IP(t, "link set "+w.hostSide(t, "web")+" nomaster") }},
		{"no veth at all", func(t *testing.T) {
			for _, name := range w.names() {
				w.host.IP(t, "link del "+w.hostSide(t, name))
			}
		}},
		{"no link of the guest", func(t *testing.T) { w.look(t, "web").net.IP(t, "link del eth0") }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.do(t)
			if out := w.sysct(t, "net", "ls"); !strings.Contains(out, "DAMAGED") {
				t.Errorf("net ls doesn't tell:\n%s", out)
			}
			w.sysct(t, "net", "repair")
			w.works(t, before)
		})
	}
	w.stayDown(t)
	w.works(t, before)
}

// stayDown: of a network that was taken down nothing is mended.
func (w *world) stayDown(t *testing.T) {
	name := strings.Fields(strings.Split(w.sysct(t, "net", "ls"), "\n")[1])[0]
	w.sysct(t, "net", "down", "-f", name)
	if out := w.sysct(t, "net", "repair"); out != "" {
		t.Errorf("repair of a network that is down:\n%s", out)
	}
	if out := w.sysct(t, "net", "ls"); !strings.Contains(out, "DOWN") {
		t.Errorf("repaired that is down:\n%s", out)
	}
	w.sysct(t, "net", "up", name)
	w.sysct(t, "net", "repair")
}

// works: guests have the addresses that they had, and reach what they reached. What
// doesn't answer takes its time, so the first that doesn't is the last.
func (w *world) works(t *testing.T, before map[string]guest) {
	_, gate4, gate6 := w.bridge(t)
	for _, name := range w.names() {
		now, then := w.look(t, name), before[name]
		if now.v4 != then.v4 || now.v6 != then.v6 || !bytes.Equal(now.mac, then.mac) {
			t.Errorf("%s has %s %s %s, not %s %s %s", name, now.mac, now.v4, now.v6, then.mac, then.v4, then.v6)
		}
		for _, to := range []netip.Addr{gate4, gate6, w.internet.Far4, w.internet.Far6} {
			if _, err := reaches(now.net, to, echoPort, patience); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	web, tiny := before["web"], w.look(t, "tiny")
	for _, to := range []netip.Addr{web.v4, web.v6} {
		if _, err := reaches(tiny.net, to, echoPort, patience); err != nil {
			t.Fatalf("tiny: %v", err)
		}
	}
	if got, err := tiny.net.Resolve(gate4, "web.sysct"); err != nil || len(got) != 2 || got[0] != web.v4 || got[1] != web.v6 {
		t.Fatalf("web.sysct is %v, %v", got, err)
	}
	if _, err := w.internet.Ask("tcp", netip.AddrPortFrom(w.internet.Host4.Addr(), 8080), patience); err != nil {
		t.Fatalf("the published port: %v", err)
	}
	lone := before["lone"]
	if _, err := tiny.net.Ask("udp", netip.AddrPortFrom(lone.v4, echoPort), silence); err == nil {
		t.Error("the guest that is kept apart is reached")
	}
}

// hostSide is the host's link of a guest's eth0.
func (w *world) hostSide(t *testing.T, name string) string {
	t.Helper()
	var index int
	for _, word := range strings.Fields(w.exec(t, name, "cat /sys/class/net/eth0/iflink")) {
		index, _ = strconv.Atoi(word)
	}
	found, _ := filepath.Glob("/sys/class/net/*/ifindex")
	for _, f := range found {
		if text, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(index) {
			return filepath.Base(filepath.Dir(f))
		}
	}
	t.Fatalf("the host has no link %d", index)
	return ""
}

// killNames kills the instance's name servers, and waits for their end.
func (w *world) killNames(t *testing.T) {
	t.Helper()
	killed := 0
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(text, []byte("dnsmasq\x00")) || !bytes.Contains(text, []byte(w.tag())) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err == nil {
			err = kill(pid)
		}
		if err != nil {
			t.Fatal(err)
		}
		killed++
	}
	if killed == 0 {
		t.Fatal("there is no name server")
	}
}

// kill kills a process and waits for its end.
func kill(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000); n > 0 {
			return nil
		}
	}
	return fmt.Errorf("process %d doesn't end", pid)
}
