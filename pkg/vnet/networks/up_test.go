package networks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir() // closed to dnsmasq's user, as a private instance's is
	run := filepath.Join(dir, "run")
	// What the machine has only once is named by the tag.
	return &Store{Tag: fmt.Sprintf("%08x", rand.Uint32()), StateDir: dir, RunDir: run, Dir: filepath.Join(dir, ".networks"), HostDir: filepath.Join(dir, ".host"),
		Warn: func(line string) { t.Log("warning:", line) }}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A network comes up, answers, is repaired from all that can befall it with the same
// addresses and names, and goes without a rest.
func TestNetworkOnAHost(t *testing.T) {
	if nettest.Host(t, testNetworkOnAHost) {
		return
	}
}

func testNetworkOnAHost(t *testing.T) {
	ctx := context.Background()
	host := nettest.Here(t)
	before := nettest.State(t)
	s := newStore(t)
	n := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork))
	if again := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork)); *again != *n {
		t.Fatalf("resolved differently: %+v, %+v", n, again)
	}
	addresses := must[[]netip.Prefix](t)(s.Addresses(ctx, n, Owner{"web", "eth0", "02:00:00:00:00:01"}, nil))
	ok(t, s.Up(ctx, n))
	daemonPid := pidOf(t, s, n)
	ok(t, s.Up(ctx, n))
	if again := pidOf(t, s, n); again != daemonPid {
		t.Errorf("the second time dnsmasq was started anew: %d, %d", daemonPid, again)
	}
	if !s.isUp(ctx, n) {
		t.Error("it isn't quick when all is up")
	}
	checkNames(t, host, n, "web.sysct", addresses)
	// A name that is added while it is up, and goes again.
	more := must[[]netip.Prefix](t)(s.Addresses(ctx, n, Owner{"db", "eth0", "02:00:00:00:00:02"}, nil))
	eventually(t, "the name of a new guest", func() bool { return slices.Equal(resolved(host, n, "db.sysct"), addrs(more)) })
	ok(t, s.Rename(ctx, "db", "data"))
	eventually(t, "the new name", func() bool {
		return slices.Equal(resolved(host, n, "data.sysct"), addrs(more)) && resolved(host, n, "db.sysct") == nil
	})
	ok(t, s.Release(ctx, "data"))
	eventually(t, "no name", func() bool { return resolved(host, n, "data.sysct") == nil })

	for name, harm := range map[string]func(){
		"dnsmasq killed":      func() { kill(t, pidOf(t, s, n)) },
		"bridge deleted":      func() { nettest.Run(t, "ip", "link", "delete", n.Device) },
		"address deleted":     func() { nettest.Run(t, "ip", "addr", "flush", "dev", n.Device) },
		"rules flushed":       func() { nettest.Run(t, "nft", "flush", "ruleset") },
		"forwarding off":      func() { host.Sysctl(t, "net/ipv4/ip_forward", "0") },
		"bridge brought down": func() { nettest.Run(t, "ip", "link", "set", n.Device, "down") },
		"hosts file truncated": func() {
			ok(t, os.Truncate(filepath.Join(s.namesDir(), n.Name, "hosts"), 0))
			kill(t, pidOf(t, s, n))
		},
	} {
		harm()
		if s.isUp(ctx, n) {
			t.Errorf("%s: isn't seen", name)
		}
		repaired := must[[]string](t)(s.Repair(ctx))
		if len(repaired) == 0 {
			t.Errorf("%s: nothing was repaired", name)
		}
		if !s.isUp(ctx, n) {
			t.Errorf("%s: it isn't up after the repair of %q", name, repaired)
		}
		checkNames(t, host, n, "web.sysct", addresses)
	}
	if again := must[[]string](t)(s.Repair(ctx)); len(again) != 0 {
		t.Errorf("repaired %q of what lacked nothing", again)
	}

	// The file of subnets is lost, then damaged: one that is up keeps what it has.
	ok(t, os.Remove(s.hostPath()))
	if kept := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork)); *kept != *n {
		t.Errorf("the subnets of a network that is up weren't kept: %+v", kept)
	}
	ok(t, os.WriteFile(s.hostPath(), []byte("{"), 0o600))
	if kept := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork)); *kept != *n {
		t.Errorf("with a damaged file the subnets weren't kept: %+v", kept)
	}
	if list := must[[]Info](t)(s.List(ctx)); list[0].Error != "" {
		t.Error(list[0].Error)
	}
	if lines := must[[]string](t)(s.RepairHost(ctx)); len(lines) != 1 {
		t.Errorf("repaired: %q", lines)
	}

	ok(t, s.Down(ctx, n.Name, false))
	ok(t, s.Down(ctx, n.Name, false))
	if left := nettest.Difference(without(before, "/proc/sys/"), without(nettest.State(t), "/proc/sys/")); left != "" {
		t.Errorf("left: %s", left)
	}
	if _, err := os.Lstat(s.namesDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dnsmasq's directory is left: %v", err)
	}
	if kept := must[*vnet.Network](t)(s.Resolve(ctx, spec.DefaultNetwork)); *kept != *n {
		t.Errorf("the subnets weren't kept: %+v", kept)
	}
}

// without are the lines of another kind.
func without(lines []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, prefix) })
}

// pidOf is the network's dnsmasq.
func pidOf(t *testing.T, s *Store, n *vnet.Network) int {
	t.Helper()
	data, err := os.ReadFile((&dns{s, n}).pidPath())
	ok(t, err)
	return must[int](t)(strconv.Atoi(strings.TrimSpace(string(data))))
}

// kill kills a process and waits for its end.
func kill(t *testing.T, pid int) {
	t.Helper()
	fd := must[int](t)(unix.PidfdOpen(pid, 0))
	defer unix.Close(fd)
	ok(t, unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
	if p := (&daemon{pid, fd}); !p.ended(killPatience) {
		t.Fatal("it doesn't end")
	}
}

func addrs(list []netip.Prefix) []netip.Addr {
	var all []netip.Addr
	for _, p := range list {
		all = append(all, p.Addr())
	}
	return all
}

// resolved are the addresses of a name by the network's name server; nil: none.
func resolved(host *nettest.Namespace, n *vnet.Network, name string) []netip.Addr {
	list, err := host.Resolve(n.IPv4.Addr(), name)
	if err != nil || len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return list
}

// checkNames asks the network's name server for a name, over both families, and for the
// names of its addresses.
func checkNames(t *testing.T, host *nettest.Namespace, n *vnet.Network, name string, want []netip.Prefix) {
	t.Helper()
	for _, server := range []netip.Addr{n.IPv4.Addr(), n.IPv6.Addr()} {
		got, err := host.Resolve(server, name)
		if err != nil {
			t.Errorf("%s asked for %s: %v", server, name, err)
			continue
		}
		slices.SortFunc(got, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
		if !slices.Equal(got, addrs(want)) {
			t.Errorf("%s says that %s is %v, not %v", server, name, got, addrs(want))
		}
	}
	for _, p := range want {
		if got := reverse(t, host, n.IPv4.Addr(), p.Addr()); got != name+"." {
			t.Errorf("%s is named %q, not %s", p.Addr(), got, name)
		}
	}
}

func reverse(t *testing.T, host *nettest.Namespace, server, a netip.Addr) string {
	t.Helper()
	zone := reverseZones(netip.PrefixFrom(a, min(a.BitLen(), 128)))
	name := ""
	if a.Is4() {
		b := a.As4()
		zone = reverseZones(netip.PrefixFrom(a, 24))
		name = strconv.Itoa(int(b[3])) + "."
	}
	m, err := host.Query(server, name+zone[0], dnsmessage.TypePTR)
	if err != nil || len(m.Answers) != 1 {
		t.Errorf("no name of %s: %v", a, err)
		return ""
	}
	ptr, is := m.Answers[0].Body.(*dnsmessage.PTRResource)
	if !is {
		return ""
	}
	return ptr.PTR.String()
}

// eventually waits for what dnsmasq does in its own time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s in a minute", what)
		}
	}
}
