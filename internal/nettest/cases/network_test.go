package cases

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/internal/testimages"
)

// TestNetwork is all that guests on one bridge do to each other, to the host, and to
// the internet, and what the host does to them.
func TestNetwork(t *testing.T) {
	if !nettest.Inside() {
		testimages.Busybox(t)
		testimages.Prepare(t, testimages.DebianArgs("bookworm"), testimages.DebianArgs("trixie"))
	}
	nettest.Host(t, func(t *testing.T) {
		w := newWorld(t)
		w.populate(t)
		for _, part := range []struct {
			name string
			test func(*testing.T, *world)
		}{
			{"names", testNames}, {"reach", testReach}, {"publish", testPublish}, {"isolation", testIsolation},
			{"dhcp", testDHCP}, {"repair", testRepair}, {"cycles", testCycles}, {"spoofing", testSpoofing}, // which nobody recovers from
		} {
			t.Run(part.name, func(t *testing.T) { part.test(t, w) })
		}
	})
}

// populate makes the guests: two of Debian, one of busybox, one that is kept apart, a
// hostile one, and one that is as hostile and isn't hindered.
func (w *world) populate(t *testing.T) {
	const bridge = "[[net]]\ntype = \"bridge\"\n"
	w.create(t, "web", "hostname = \"web\"\n"+bridge+"[[publish]]\nport = 8080\nto = 7\n[[publish]]\nport = 8081\nto = 7\nproto = \"udp\"\n"+
		"[[publish]]\nport = 8082\nto = 7\nloopback = true\n",
		append([]string{"debian", "--"}, testimages.DebianArgs("bookworm")...)...)
	w.create(t, "db", bridge, append([]string{"debian", "--"}, testimages.DebianArgs("trixie")...)...)
	w.create(t, "tiny", "", "busybox") // as create makes it
	w.create(t, "lone", bridge+"isolate = true\n", "busybox")
	w.create(t, "alone", bridge+"isolate = true\n", "busybox")
	w.create(t, "evil", bridge, "busybox")
	w.create(t, "loose", bridge+"filter = false\n", "busybox")
	w.sysct(t, "start", "--all", "-j", "4")
	for _, name := range w.names() {
		w.look(t, name).net.NewEcho(t, echoPort)
	}
	w.host.NewEcho(t, echoPort)
}

// echoPort is where every guest and the host have an echo.
const echoPort = 7

func (w *world) names() []string {
	return []string{"web", "db", "tiny", "lone", "alone", "evil", "loose"}
}

// reaches asks an echo for its word, by both protocols.
func reaches(from *nettest.Namespace, to netip.Addr, port uint16, within time.Duration) (seen netip.Addr, err error) {
	for _, proto := range []string{"tcp", "udp"} {
		at, err := from.Ask(proto, netip.AddrPortFrom(to, port), within)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("%s to %s: %w", proto, to, err)
		}
		seen = at.Addr()
	}
	return seen, nil
}

// testNames: each guest knows itself and the others, and names of the internet; the
// reverse is true too.
func testNames(t *testing.T, w *world) {
	_, gate4, gate6 := w.bridge(t)
	web, db, tiny := w.look(t, "web"), w.look(t, "db"), w.look(t, "tiny")
	for _, from := range []*guest{web, db} {
		for _, to := range []*guest{web, db, tiny} {
			for _, name := range []string{to.name + ".sysct", to.name} {
				if name == from.name { // its own name is in its hosts
					continue
				}
				if out := w.exec(t, from.name, "getent ahostsv4 "+name); !strings.HasPrefix(out, to.v4.String()+" ") {
					t.Errorf("%s: %s is %q, not %s", from.name, name, out, to.v4)
				}
				if out := w.exec(t, from.name, "getent ahostsv6 "+name); !strings.HasPrefix(out, to.v6.String()+" ") {
					t.Errorf("%s: %s is %q, not %s", from.name, name, out, to.v6)
				}
			}
			for _, addr := range []netip.Addr{to.v4, to.v6} {
				if out := w.exec(t, from.name, "getent hosts "+addr.String()); to != from && !strings.HasSuffix(out, " "+to.name+".sysct") {
					t.Errorf("%s: %s is %q", from.name, addr, out)
				}
			}
		}
		if out := w.exec(t, from.name, "getent ahostsv4 "+w.internet.Name); !strings.HasPrefix(out, w.internet.Far4.String()+" ") {
			t.Errorf("%s: %s is %q", from.name, w.internet.Name, out)
		}
		if out, status := w.try("exec", from.name, "--", "getent", "ahosts", "nobody.sysct"); status != 2 {
			t.Errorf("%s knows nobody.sysct: %d %q", from.name, status, out)
		}
	}
	if out := w.exec(t, "tiny", "nslookup web.sysct"); !strings.Contains(out, web.v4.String()) || !strings.Contains(out, web.v6.String()) {
		t.Errorf("in tiny web.sysct is %q", out)
	}
	w.exec(t, "tiny", "ping -c 1 -W 10 web.sysct && ping -c 1 -W 10 db")
	for _, server := range []netip.Addr{gate4, gate6} {
		got, err := tiny.net.Resolve(server, "db.sysct")
		if err != nil || len(got) != 2 || got[0] != db.v4 || got[1] != db.v6 {
			t.Errorf("%s gives for db.sysct %v, %v", server, got, err)
		}
	}
	if got, err := w.internet.Resolve(w.internet.Host4.Addr(), "web.sysct"); err == nil {
		t.Errorf("the internet is told of guests: %v", got)
	}
}

// testReach: guests, host and internet, over both families and protocols.
func testReach(t *testing.T, w *world) {
	_, gate4, gate6 := w.bridge(t)
	guests := []*guest{w.look(t, "web"), w.look(t, "db"), w.look(t, "tiny")}
	check := func(who string, from *nettest.Namespace, to, want netip.Addr) {
		t.Helper()
		if seen, err := reaches(from, to, echoPort, patience); err != nil || seen != want {
			t.Errorf("%s reaches %s as %s, %v: want %s", who, to, seen, err, want)
		}
	}
	for _, from := range guests {
		for _, to := range guests {
			check(from.name, from.net, to.v4, from.v4)
			check(from.name, from.net, to.v6, from.v6)
		}
		check(from.name, from.net, gate4, from.v4)
		check(from.name, from.net, gate6, from.v6)
		check(from.name, from.net, w.internet.Far4, w.internet.Host4.Addr())
		check(from.name, from.net, w.internet.Far6, w.internet.Host6.Addr())
		check("the host", w.host, from.v4, gate4)
		check("the host", w.host, from.v6, gate6)
	}
}

// testPublish: who comes from outside keeps his address; the host and guests are
// answered too, and 127.0.0.1 and ::1 where it was asked for.
func testPublish(t *testing.T, w *world) {
	info := w.sysct(t, "info", "web") + w.sysct(t, "info", "web", "--json")
	for _, want := range []string{"8080/tcp to 7", "8081/udp to 7", "8082/tcp and of loopback to 7", `"published"`} {
		if !strings.Contains(info, want) {
			t.Errorf("info doesn't tell %q:\n%s", want, info)
		}
	}
	_, gate4, gate6 := w.bridge(t)
	tiny := w.look(t, "tiny")
	outside4, outside6 := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:1::1")
	for _, c := range []struct {
		who   string
		from  *nettest.Namespace
		proto string
		to    netip.Addr
		port  uint16
		seen  netip.Addr
	}{
		{"the internet", w.internet.Namespace, "tcp", w.internet.Host4.Addr(), 8080, outside4},
		{"the internet", w.internet.Namespace, "tcp", w.internet.Host6.Addr(), 8080, outside6},
		{"the internet", w.internet.Namespace, "udp", w.internet.Host4.Addr(), 8081, outside4},
		{"the internet", w.internet.Namespace, "udp", w.internet.Host6.Addr(), 8081, outside6},
		{"the host", w.host, "tcp", w.internet.Host4.Addr(), 8080, gate4},
		{"the host", w.host, "tcp", w.internet.Host6.Addr(), 8080, gate6},
		{"tiny", tiny.net, "tcp", w.internet.Host4.Addr(), 8080, gate4},
		{"tiny", tiny.net, "tcp", w.internet.Host6.Addr(), 8080, gate6},
		{"the host", w.host, "tcp", netip.MustParseAddr("127.0.0.1"), 8082, gate4},
		{"the host", w.host, "tcp", netip.MustParseAddr("::1"), 8082, gate6},
	} {
		seen, err := c.from.Ask(c.proto, netip.AddrPortFrom(c.to, c.port), patience)
		if err != nil || seen.Addr() != c.seen {
			t.Errorf("%s asks %s port %d of %s and is seen as %s, %v: want %s", c.who, c.proto, c.port, c.to, seen.Addr(), err, c.seen)
		}
	}
	for _, port := range []uint16{8080, 8083, echoPort + 1} {
		if _, err := w.host.Ask("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), patience); err == nil {
			t.Errorf("port %d of 127.0.0.1 answers", port)
		}
	}
}

// testIsolation: one that is kept apart reaches the host and the internet and no guest.
func testIsolation(t *testing.T, w *world) {
	_, gate4, gate6 := w.bridge(t)
	web, lone, other := w.look(t, "web"), w.look(t, "lone"), w.look(t, "alone")
	for _, to := range []netip.Addr{gate4, gate6, w.internet.Far4, w.internet.Far6} {
		if _, err := reaches(lone.net, to, echoPort, patience); err != nil {
			t.Errorf("the guest that is kept apart doesn't reach %s: %v", to, err)
		}
	}
	// Where the kernel has frames on bridges go through nftables, and where it doesn't.
	for _, through := range []string{"1", "0"} {
		for _, family := range []string{"iptables", "ip6tables"} {
			if _, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-" + family); err == nil {
				w.host.Sysctl(t, "net/bridge/bridge-nf-call-"+family, through)
			}
		}
		var asked sync.WaitGroup
		for _, pair := range [][2]*guest{{lone, web}, {web, lone}, {lone, other}, {other, lone}} {
			for _, to := range []netip.Addr{pair[1].v4, pair[1].v6} {
				for _, proto := range []string{"tcp", "udp"} {
					asked.Go(func() {
						if _, err := pair[0].net.Ask(proto, netip.AddrPortFrom(to, echoPort), silence); err == nil {
							t.Errorf("%s reaches %s by %s to %s, bridge-nf-call %s", pair[0].name, pair[1].name, proto, to, through)
						}
					})
				}
			}
		}
		asked.Wait()
	}
	// Nor by way of the host, which is asked to pass it on.
	lone.net.IP(t, "route add "+web.v4.String()+" via "+gate4.String(), "route add "+web.v6.String()+" via "+gate6.String())
	for _, to := range []netip.Addr{web.v4, web.v6} {
		if _, err := lone.net.Ask("tcp", netip.AddrPortFrom(to, echoPort), silence); err == nil {
			t.Errorf("the guest that is kept apart reaches %s by way of the host", to)
		}
	}
}

// testSpoofing has a hostile guest send frames by a program of its own, and looks at its
// peer for them. Those of the guest that isn't hindered arrive: they are what they seem.
func testSpoofing(t *testing.T, w *world) {
	bridge, gate4, gate6 := w.bridge(t)
	gate := &guest{name: "the gateway", mac: bridge.HardwareAddr, v4: gate4, v6: gate6}
	web := w.look(t, "web")
	for _, c := range []struct {
		name   string
		arrive bool
	}{{"evil", false}, {"loose", true}} {
		me := w.look(t, c.name)
		seen := web.net.Sniff(t, "eth0")
		frames := spoofed(me, web, gate)
		w.send(t, me, append(values(frames), honest(me, web))...)
		seen.Await(t, "the words of the honest one", func(f []byte) bool { return bytes.Equal(f, honest(me, web)) })
		for name, frame := range frames {
			arrived := false
			for _, f := range seen.Frames() {
				arrived = arrived || bytes.Equal(f, received(frame))
			}
			if arrived != c.arrive {
				t.Errorf("%s sends %s: arrived is %v", me.name, name, arrived)
			}
		}
		if _, err := reaches(me.net, web.v4, echoPort, patience); err != nil {
			t.Errorf("after that %s doesn't reach %v", me.name, err)
		}
	}
}

func values(frames map[string][]byte) [][]byte {
	var all [][]byte
	for _, f := range frames {
		all = append(all, f)
	}
	return all
}

// send has a guest's own root send frames.
func (w *world) send(t *testing.T, from *guest, frames ...[]byte) {
	t.Helper()
	w.push(t, from.name)
	var lines strings.Builder
	for _, f := range frames {
		lines.WriteString(hex.EncodeToString(f) + "\n")
	}
	cmd := w.command("exec", from.name, "--", "/tmp/send", "eth0")
	cmd.Stdin = strings.NewReader(lines.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s cannot send: %v\n%s", from.name, err, out)
	}
}

// push puts the program that sends frames into a guest.
func (w *world) push(t *testing.T, name string) {
	t.Helper()
	program, err := os.Open(filepath.Join(os.Getenv(programs), "send"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	cmd := w.command("exec", name, "--", "sh", "-c", "cat >/tmp/send && chmod +x /tmp/send")
	cmd.Stdin = program
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// testDHCP: a client of the guest's own gets what was set from outside.
func testDHCP(t *testing.T, w *world) {
	_, gate4, _ := w.bridge(t)
	tiny := w.look(t, "tiny")
	// The program that is run with what was got only prints it.
	out := w.exec(t, "tiny", `printf '#!/bin/sh\necho "$1 ip=$ip router=$router dns=$dns domain=$domain"\n' >/tmp/got && chmod +x /tmp/got &&
udhcpc -f -n -q -t 5 -T 2 -i eth0 -s /tmp/got 2>&1`)
	if want := fmt.Sprintf("bound ip=%s router=%s dns=%s domain=sysct", tiny.v4, gate4, gate4); !strings.Contains(out, want) {
		t.Errorf("udhcpc says %q, want %q", out, want)
	}
	for _, name := range []string{"web", "db"} {
		if out := w.exec(t, name, "cat /etc/resolv.conf"); !strings.Contains(out, "nameserver "+gate4.String()) {
			t.Errorf("%s has the resolv.conf %q", name, out)
		}
	}
}

// testCycles: starts and stops leave nothing. How many can be said from outside.
func testCycles(t *testing.T, w *world) {
	n := 5
	if text := os.Getenv("SYSCT_TEST_CYCLES"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatal(err)
		}
	}
	w.sysct(t, "stop", "-k", "tiny")
	before := w.traces(t)
	for range n {
		w.sysct(t, "start", "tiny")
		w.sysct(t, "stop", "-k", "tiny")
	}
	var d string
	eventually(t, "all is as before", func() error {
		if d = nettest.Difference(before, w.traces(t)); d != "" {
			return errors.New(d)
		}
		return nil
	})
}

// traces are the host's network and the files that sysct keeps of it.
func (w *world) traces(t *testing.T) []string {
	all := nettest.State(t)
	for line := range strings.Lines(nettest.Run(t, "nft", "list", "ruleset")) {
		all = append(all, "nft: "+strings.TrimSpace(line))
	}
	err := filepath.WalkDir(filepath.Join(w.top, "run"), func(path string, e os.DirEntry, err error) error {
		if e != nil && errors.Is(err, os.ErrNotExist) {
			return nil // a directory that has gone since
		}
		all = append(all, "file: "+path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
