package within

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asHost in the environment: this process is in a network namespace of its own.
const asHost = "SYSCT_TEST_AS_HOST"

// inHost runs the test anew in a network namespace of its own, where it is the host.
func inHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv(asHost) != "" {
		return true
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v="+fmt.Sprint(testing.Verbose()))
	c.Env = append(os.Environ(), asHost+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// namespace makes one and gives a process in it. The test keeps its thread, with whose end
// the process would be killed.
func namespace(t *testing.T) int {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	c := exec.Command("sleep", "100000")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c.Process.Pid
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v: %s", args, err, out)
	}
}

// in runs a command in a process's network namespace.
func in(t *testing.T, pid int, args ...string) {
	t.Helper()
	if out, err := exec.Command("nsenter", append([]string{"-n", "-t", fmt.Sprint(pid), "--"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}

func read(t *testing.T, want Want, pids ...int) []*Namespace {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var list []*Namespace
	for _, r := range Read(ctx, len(pids), want, func(i int) (int, error) { return unix.PidfdOpen(pids[i], 0) }) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		list = append(list, r.Namespace)
	}
	return list
}

// TestRead: what guests have from outside is told from what they made in themselves.
func TestRead(t *testing.T) {
	if !inHost(t) {
		return
	}
	one, other := namespace(t), namespace(t)
	nested := namespace(t)
	ip(t, "link", "add", "svone", "mtu", "1400", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(one))
	ip(t, "link", "add", "mac0", "link", "svone", "netns", fmt.Sprint(other), "type", "macvlan")
	ip(t, "link", "set", "svone", "up")
	in(t, one, "ip", "link", "set", "eth0", "address", "02:5c:00:00:00:01", "mtu", "1400", "up")
	in(t, one, "ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	in(t, one, "ip", "address", "add", "192.0.2.9", "peer", "192.0.2.10", "dev", "eth0")
	in(t, one, "ip", "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
	in(t, one, "ip", "link", "add", "docker0", "type", "bridge")
	in(t, one, "ip", "link", "add", "veth1", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprintf("/proc/%d/ns/net", nested))
	ip(t, "address", "add", "192.0.2.2/24", "dev", "svone")
	traffic(t)

	list := read(t, Links|Addresses, one, other, os.Getpid())
	outer := map[string]int{}
	for _, i := range list[2].Interfaces {
		outer[i.Name] = i.Index
	}
	byName := map[string]Interface{}
	var given []string
	for _, i := range list[0].Interfaces {
		byName[i.Name] = i
		if i.Given() {
			given = append(given, i.Name)
		}
	}
	eth0 := byName["eth0"]
	if !slices.Equal(given, []string{"eth0"}) || len(byName) != 3 {
		t.Errorf("given: %q of %+v", given, byName)
	}
	if eth0.Outer != outer["svone"] || eth0.MAC != "02:5c:00:00:00:01" || eth0.Kind != "veth" || eth0.MTU != 1400 || !eth0.Up || byName["docker0"].Up {
		t.Errorf("%+v, outside %v", eth0, outer)
	}
	// Three of 142 bytes, their answers, which have a part of them, and some of ARP and IPv6.
	for _, c := range []Count{eth0.Receive, eth0.Transmit} {
		if c.Packets < 3 || c.Packets > 100 || c.Bytes < 3*98 || c.Bytes > 10000 || c.Errors != 0 {
			t.Errorf("%+v", eth0)
		}
	}
	var addresses []string
	for _, a := range list[0].Addresses {
		if a.Index == eth0.Index && a.Scope == "global" && !a.Tentative {
			addresses = append(addresses, a.Prefix.String())
		}
	}
	if slices.Sort(addresses); !slices.Equal(addresses, []string{"192.0.2.1/24", "192.0.2.9/32", "2001:db8::1/64"}) {
		t.Errorf("%q of %+v", addresses, list[0].Addresses)
	}
	if mac := list[1].Interfaces; len(mac) != 1 || !mac[0].Given() || mac[0].Outer != outer["svone"] {
		t.Errorf("macvlan: %+v", mac)
	}
	if i := read(t, Addresses, one)[0]; len(i.Interfaces) != 0 || len(i.Addresses) == 0 {
		t.Errorf("addresses alone: %+v", i)
	}
}

// traffic sends three packets to a closed port, and waits for the answers that say so.
func traffic(t *testing.T) {
	t.Helper()
	for range 3 {
		c, err := net.Dial("udp", "192.0.2.1:9")
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		c.Write(make([]byte, 100)) // the answer is an error of the next call, be it this one
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatal(err)
		}
		c.Close()
	}
}

// TestTentative: an address that somebody else has is none.
func TestTentative(t *testing.T) {
	if !inHost(t) {
		return
	}
	one := namespace(t)
	ip(t, "link", "add", "svone", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(one))
	ip(t, "link", "set", "svone", "up")
	ip(t, "address", "add", "2001:db8::1/64", "dev", "svone", "nodad")
	in(t, one, "ip", "link", "set", "eth0", "up")
	in(t, one, "ip", "address", "add", "2001:db8::1/64", "dev", "eth0")
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		for _, a := range read(t, Addresses, one)[0].Addresses {
			if a.Prefix == netip.MustParsePrefix("2001:db8::1/64") && !a.Tentative {
				t.Fatalf("%+v", a)
			}
		}
		out, err := exec.Command("nsenter", "-n", "-t", fmt.Sprint(one), "ip", "-6", "address", "show", "dev", "eth0").Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "dadfailed") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no duplicate was found: %s", out)
		}
	}
}

// TestManyAddresses: whoever has more than anybody looks at costs no more for it.
func TestManyAddresses(t *testing.T) {
	if !inHost(t) {
		return
	}
	var batch strings.Builder
	for i := range 3 * maxMessages {
		fmt.Fprintf(&batch, "address add 10.0.%d.%d/32 dev lo\n", i/250, i%250)
	}
	c := exec.Command("ip", "-batch", "-")
	c.Stdin = strings.NewReader(batch.String())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := len(read(t, Addresses, os.Getpid())[0].Addresses); n < maxMessages || n > 2*maxMessages {
		t.Errorf("%d addresses", n)
	}
}

// TestReadGivesUp when the context ends, and tells of what can't be opened.
func TestReadGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan bool)
	defer close(release)
	list := Read(ctx, 3, Links, func(i int) (int, error) {
		if i == 0 {
			return unix.Open("/proc/self/ns/net", unix.O_RDONLY, 0)
		}
		cancel()
		<-release
		return -1, unix.ESRCH
	})
	if len(list) != 3 || list[0].Err != nil || list[0].Namespace == nil || !errors.Is(list[1].Err, context.Canceled) || !errors.Is(list[2].Err, context.Canceled) {
		t.Errorf("%+v", list)
	}
	list = Read(context.Background(), 2, Links, func(int) (int, error) { return -1, unix.ESRCH })
	if len(list) != 2 || !errors.Is(list[1].Err, unix.ESRCH) {
		t.Errorf("%+v", list)
	}
}
