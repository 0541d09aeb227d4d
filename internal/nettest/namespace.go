package nettest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
)

// Namespace is a network namespace: another host's, or the one that the test is in.
type Namespace struct {
	ns *os.File
}

// New makes a namespace whose lo is up. It is gone when the test has ended, unless a
// process is left in it.
func New(t testing.TB) *Namespace {
	t.Helper()
	var n *Namespace
	err := ownthread.Run(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			n, err = current()
		}
		return err
	})
	if err != nil {
		t.Fatalf("cannot make a network namespace: %v", err)
	}
	t.Cleanup(func() { n.ns.Close() })
	n.IP(t, "link set lo up")
	return n
}

// Here is the namespace that the test itself is in.
func Here(t testing.TB) *Namespace {
	t.Helper()
	var n *Namespace
	err := ownthread.Run(func() (err error) { n, err = current(); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.ns.Close() })
	return n
}

// Of is the network namespace of a process.
func Of(t testing.TB, pid int) *Namespace {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &Namespace{ns: f}
}

func current() (*Namespace, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	return &Namespace{ns: f}, err
}

// Do runs a function in the namespace. Sockets that it opens, and programs that it
// starts, are of the namespace for good; goroutines that it starts are not in it, so an
// address to connect to is given as a number.
func (n *Namespace) Do(f func() error) error {
	return ownthread.Run(func() error {
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot enter a network namespace: %w", err)
		}
		return f()
	})
}

// Path names the namespace for programs such as ip.
func (n *Namespace) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.ns.Fd()) }

// Run runs a program in the namespace, which must succeed, and gives what it printed.
func (n *Namespace) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := n.Try(name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// Try runs a program in the namespace.
func (n *Namespace) Try(name string, args ...string) (string, error) {
	var out []byte
	err := n.Do(func() (err error) {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	return string(out), err
}

// IP has ip do some lines of its commands in the namespace, such as "link set lo up".
func (n *Namespace) IP(t testing.TB, lines ...string) {
	t.Helper()
	var out []byte
	err := n.Do(func() (err error) {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("ip: %v: %s\n%s", err, out, strings.Join(lines, "\n"))
	}
}

// Veth makes a pair of links, one here and one in another namespace, both up and ready to
// carry what is sent. It is removed when the test has ended.
func (n *Namespace) Veth(t testing.TB, name string, other *Namespace, peer string) {
	t.Helper()
	n.IP(t, fmt.Sprintf("link add %s type veth peer name %s netns %s", name, peer, other.Path()), "link set "+name+" up")
	other.IP(t, "link set "+peer+" up")
	t.Cleanup(func() { n.Try("ip", "link", "del", name) }) // it may be gone already
	n.running(t, name)
	other.running(t, peer)
}

// running waits until a link runs: the kernel sees that a moment after it is up, and drops
// what is sent until then.
func (n *Namespace) running(t testing.TB, name string) {
	t.Helper()
	err := n.Do(func() error {
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			i, err := net.InterfaceByName(name)
			if err != nil || i.Flags&net.FlagRunning != 0 {
				return err
			}
			if time.Now().After(end) {
				return fmt.Errorf("%s is up and doesn't run", name)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
