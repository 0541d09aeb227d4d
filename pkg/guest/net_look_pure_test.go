package guest

import (
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/vnet/within"
)

// TestInGroup: whose process a pid has become is told by its group.
func TestInGroup(t *testing.T) {
	m, err := Open(Options{Dirs: spec.Dirs{State: "/var/lib/other"}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"1:cpu:/x\n0::/" + m.base() + "/web/guest/payload\n":                 true,
		"0::/" + m.base() + "/web\n":                                         true,
		"0::/machine.slice/sysct-web.scope/guest/payload/init.scope\n":       true,
		"0::/" + m.base() + "/webb/guest\n":                                  false,
		"0::/sysct/web/guest\n":                                              false, // another instance's
		"0::/" + m.base() + "/db/guest/payload/" + m.base() + "/web/guest\n": false, // a guest in a guest
		"1:cpu:/" + m.base() + "/web\n0::/user.slice\n":                      false,
		"0::/machine.slice/sysct-webb.scope\n":                               false,
		"":                                                                   false,
	} {
		if m.inGroup(text, "web") != want {
			t.Errorf("%q: not %v", text, want)
		}
	}
	for _, of := range []netInit{{name: "web", pid: os.Getpid()}, {name: "web", pid: os.Getpid(), base: 1, size: 65536}} {
		if _, err := m.openNetwork(of, 0); err != errNoNetwork {
			t.Errorf("a process of another: %v", err)
		}
	}
}

// TestIsOwnNetwork: a network namespace is of those whose user namespace it was made with.
func TestIsOwnNetwork(t *testing.T) {
	hosts, ok := ownNetwork()
	if !ok {
		t.Fatal("no namespace")
	}
	own := func(flags uintptr) bool {
		c := exec.Command("sleep", "100000")
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: unix.SIGKILL}
		if flags&unix.CLONE_NEWUSER != 0 {
			c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: 1000, Size: 1}}
			c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: 1000, Size: 1}}
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Wait()
		defer c.Process.Kill()
		proc, err := unix.Open("/proc/"+strconv.Itoa(c.Process.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(proc)
		ns, err := unix.Openat(proc, "ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ns)
		return isOwnNetwork(proc, ns, hosts)
	}
	if !own(unix.CLONE_NEWUSER|unix.CLONE_NEWNET) || !own(unix.CLONE_NEWNET) {
		t.Error("one of its own isn't")
	}
	if own(0) || own(unix.CLONE_NEWUSER) {
		t.Error("the host's is a guest's")
	}
}

// TestNetworkOfAGuest: what of a namespace is told.
func TestNetworkOfAGuest(t *testing.T) {
	ns := &within.Namespace{
		Interfaces: []within.Interface{
			{Index: 9, Name: "eth1", Outer: 5, Kind: "veth", Receive: within.Count{Bytes: 1 << 63, Packets: 1, Errors: 2, Drops: 3}},
			{Index: 2, Name: "eth\x1b", Outer: 4, Kind: "veth", Receive: within.Count{Bytes: 7}, Transmit: within.Count{Bytes: 8, Packets: 9, Errors: 10, Drops: 11}},
			{Index: 3, Name: "docker0", Kind: "bridge", Receive: within.Count{Bytes: 1000}},
			{Index: 4, Name: "enp3s0"},
		},
		Addresses: []within.Address{
			{Index: 9, Prefix: netip.MustParsePrefix("10.0.0.2/24"), Scope: "global"},
			{Index: 1, Prefix: netip.MustParsePrefix("127.0.0.1/8"), Scope: "host"},
			{Index: 2, Prefix: netip.MustParsePrefix("fe80::1/64"), Scope: "link"},
			{Index: 2, Prefix: netip.MustParsePrefix("fd00::1/64"), Scope: "global", Tentative: true},
		},
	}
	info := &Info{Name: "web"}
	info.network(ns, NetFigures|NetAddresses)
	u := info.Usage.Network
	var names []string
	for _, i := range u.Interfaces {
		names = append(names, i.Name)
	}
	if !slices.Equal(names, []string{`"eth\x1b"`, "enp3s0", "eth1"}) || u.TransmitBytes != 8 || u.ReceiveErrors != 2 || u.Interfaces[2].ReceiveBytes != 1<<63-1 {
		t.Errorf("%+v", u)
	}
	want := []Address{
		{`"eth\x1b"`, "inet6", netip.MustParseAddr("fe80::1"), 64, "link", false},
		{`"eth\x1b"`, "inet6", netip.MustParseAddr("fd00::1"), 64, "global", true},
		{"eth1", "inet", netip.MustParseAddr("10.0.0.2"), 24, "global", false},
	}
	if !slices.Equal(info.Addresses, want) || want[0].Usable() || want[1].Usable() || !want[2].Usable() {
		t.Errorf("%+v", info.Addresses)
	}
}
