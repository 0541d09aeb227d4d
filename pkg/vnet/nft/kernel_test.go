package nft

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/sysct/sysct/pkg/vnet"
)

// inNamespace runs the test again in a network namespace of its own, and says whether
// this is that run.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const marker = "SYSCT_TEST_NFT"
	if os.Getenv(marker) == t.Name() {
		return true
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v="+map[bool]string{true: "true", false: "false"}[testing.Verbose()])
	c.Env = append(os.Environ(), marker+"="+t.Name())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

func nft(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("/usr/sbin/nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %s: %v: %s", args, err, out)
	}
	return string(out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isPresent(t *testing.T, tag string, want bool) {
	t.Helper()
	if is, err := Present(t.Context(), tag); err != nil || is != want {
		t.Fatalf("table %s present: %v %v", TableName(tag), is, err)
	}
}

// TestTheKernelTakesTheTable and only changes that one.
func TestTheKernelTakesTheTable(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	nft(t, "add table inet other; add chain inet other c { type filter hook forward priority 0; policy drop; }; add rule inet other c tcp dport 1 counter accept")
	before := nft(t, "list", "ruleset")
	for _, tag := range []string{"", "0123abcd"} {
		isPresent(t, tag, false)
		text, err := Table(tag, example())
		must(t, err)
		for range 2 {
			must(t, Load(t.Context(), text))
			isPresent(t, tag, true)
		}
	}
	if !strings.Contains(nft(t, "list", "ruleset"), before) {
		t.Errorf("another table was changed:\n%s", nft(t, "list", "ruleset"))
	}
	must(t, Remove(t.Context(), "0123abcd"))
	isPresent(t, "0123abcd", false)
	isPresent(t, "", true)
	must(t, Remove(t.Context(), ""))
	must(t, Remove(t.Context(), ""))
	if after := nft(t, "list", "ruleset"); after != before {
		t.Errorf("not as before:\n%s", after)
	}
	if err := Load(t.Context(), "add table inet broken\nadd rule inet broken nowhere drop\n"); err == nil || strings.Contains(nft(t, "list", "tables"), "broken") {
		t.Errorf("half a script was loaded, or no error: %v", err)
	}
}

// TestTheTableFollowsTheState from nothing to nothing, and comes back after a flush.
func TestTheTableFollowsTheState(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	run, ctx, tag := t.TempDir(), t.Context(), "0123abcd"
	must(t, Sync(ctx, tag, run))
	isPresent(t, tag, false)
	n := example().Networks[0]
	must(t, NetworkUp(ctx, tag, run, &n))
	handle := nft(t, "-a", "list", "tables")
	must(t, NetworkUp(ctx, tag, run, &n))
	must(t, Ensure(ctx, tag, run))
	if now := nft(t, "-a", "list", "tables"); now != handle {
		t.Errorf("a table that was right was loaded again: %s, then %s", handle, now)
	}
	g := Guest{Name: "web", Published: []vnet.Publish{example().Published[0].Publish}}
	must(t, GuestUp(ctx, tag, run, g))
	want := nft(t, "list", "ruleset")
	if !strings.Contains(want, `tcp . 8080 comment "web" : 10.99.1.2 . 80`) {
		t.Errorf("no published port:\n%s", want)
	}
	// Only the sets were filled anew, and it is as if all had been loaded.
	if now := nft(t, "-a", "list", "tables"); now != handle {
		t.Errorf("the table was loaded again for a guest: %s, then %s", handle, now)
	}
	must(t, Sync(ctx, tag, run))
	if all := nft(t, "list", "ruleset"); all != want {
		t.Errorf("refilled it was\n%s\nand is\n%s", want, all)
	}
	for _, harm := range []string{"flush ruleset", "flush table inet sysct_" + tag, "flush chain inet sysct_" + tag + " postrouting", "delete table inet sysct_" + tag} {
		nft(t, harm)
		must(t, Ensure(ctx, tag, run))
		if got := nft(t, "list", "ruleset"); got != want {
			t.Errorf("after %s:\n%s", harm, got)
		}
	}
	nft(t, "flush map inet sysct_"+tag+" any4")
	must(t, Sync(ctx, tag, run))
	if got := nft(t, "list", "ruleset"); got != want {
		t.Errorf("after a flushed map:\n%s", got)
	}
	bad := g
	bad.Name, bad.Published = "bad", []vnet.Publish{{Proto: "x", Port: 1, To: 1}}
	if err := GuestUp(ctx, tag, run, bad); err == nil {
		t.Error("no error")
	}
	must(t, GuestDown(ctx, tag, run, "web"))
	must(t, GuestDown(ctx, tag, run, "web"))
	must(t, NetworkDown(ctx, tag, run, n.Name))
	if got := nft(t, "list", "ruleset"); got != "" {
		t.Errorf("left over:\n%s", got)
	}
}

// TestAPortHasOneGuest, whichever instance it is of.
func TestAPortHasOneGuest(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ctx, one, two := t.Context(), t.TempDir(), t.TempDir()
	list := example().Published
	guest := func(name string, from int, change func(*vnet.Publish)) Guest {
		p := list[from].Publish
		if change != nil {
			change(&p)
		}
		return Guest{Name: name, Published: []vnet.Publish{p}}
	}
	for i, p := range list {
		must(t, GuestUp(ctx, "0123abcd", one, Guest{Name: []string{"web", "dns", "db", "all4"}[i], Published: []vnet.Publish{p.Publish}}))
	}
	for want, g := range map[string]Guest{
		"port 8080/tcp of the host is taken by guest web":   guest("new", 0, nil),
		"port 8080/tcp of 192.0.2.9 is taken by guest web":  guest("new", 0, func(p *vnet.Publish) { p.Address = netip.MustParseAddr("192.0.2.9") }),
		"port 53/udp of 192.0.2.1 is taken by guest dns":    guest("new", 1, nil),
		"port 53/udp of the host is taken by guest dns":     guest("new", 1, func(p *vnet.Publish) { p.Address = netip.Addr{} }),
		"port 5432/tcp of 2001:db8::1 is taken by guest db": guest("new", 2, nil),
		"port 5432/tcp of the host is taken by guest db":    guest("new", 2, func(p *vnet.Publish) { p.Address = netip.Addr{} }),
		"port 25/tcp of 192.0.2.9 is taken by guest all4":   guest("new", 3, func(p *vnet.Publish) { p.Address = netip.MustParseAddr("192.0.2.9") }),
		"": guest("new", 3, func(p *vnet.Publish) { p.Address = netip.MustParseAddr("2001:db8::2") }),
	} {
		for tag, run := range map[string]string{"0123abcd": one, "": two} {
			var got string
			err := GuestUp(ctx, tag, run, g)
			if err != nil {
				got = err.Error()
			}
			full := want
			if want != "" && run == two {
				full += " of another instance (0123abcd)"
			}
			var taken *TakenError
			if got != full || err != nil && !errors.As(err, &taken) {
				t.Errorf("instance %q: got %q, want %q", tag, got, full)
			}
			must(t, GuestDown(ctx, tag, run, "new"))
		}
	}
	// Its own port is no other's, nor is that of one that is gone.
	must(t, GuestUp(ctx, "0123abcd", one, guest("web", 0, nil)))
	must(t, Prune(ctx, "0123abcd", one, func(name string) bool { return name != "web" }))
	must(t, GuestUp(ctx, "", two, guest("new", 0, nil)))
	if err := GuestUp(ctx, "0123abcd", one, guest("web", 0, nil)); err == nil || !strings.HasSuffix(err.Error(), "by guest new of another instance") {
		t.Error(err)
	}
}
