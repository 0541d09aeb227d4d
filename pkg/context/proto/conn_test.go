package proto

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
)

func pair(t *testing.T) (*Conn, *Conn) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := NewConn(p[0]), NewConn(p[1])
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestMessageWithDescriptors(t *testing.T) {
	a, b := pair(t)
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	if err := a.Send(Message{Kind: KindSetup, FDs: []string{FDRoot}, Setup: &Setup{Hostname: "web", Filter: []byte{1, 2}}}, p[1]); err != nil {
		t.Fatal(err)
	}
	unix.Close(p[1])
	m, fds, err := b.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if m.Kind != KindSetup || m.Setup.Hostname != "web" || string(m.Setup.Filter) != "\x01\x02" {
		t.Fatalf("received %+v", m)
	}
	unix.Write(fds[FDRoot], []byte("x"))
	unix.Close(fds[FDRoot])
	buf := make([]byte, 2)
	if n, err := unix.Read(p[0], buf); n != 1 || err != nil {
		t.Fatalf("the descriptor does not lead to the pipe: %d %v", n, err)
	}
}

// What was written is what is read, field by field, and any shorter packet is refused.
func TestWire(t *testing.T) {
	want := Message{Version: Version, Kind: KindSetup, FDs: []string{FDRoot, TTY(1)}, Setup: &Setup{
		Hostname: "web", Init: [][]string{{"/sbin/init", "x"}, {"/bin/sh"}}, Env: []string{"A=b", ""}, TTYs: 4, Loopback: true,
		Mounts: []mounts.Op{
			{Kind: mounts.KindFS, Target: "proc", Source: "s", FS: "proc", FD: "f", Options: []mounts.Option{{Key: "hidepid", Value: "2"}, {Key: "ro"}}, Attr: 0x100000, Absent: true},
			{Kind: mounts.KindFD, Target: "dev"},
		},
		HostFiles: []HostFile{{Name: "n", Content: "c\n", Mode: 0o444}, {Name: "d", Mode: 0o700, Dir: true}},
		Caps:      1 << 40, Filter: []byte{0, 255, 7}, Listener: true, Resolv: "nameserver 192.0.2.1\n",
		Rlimits: []Rlimit{{Name: "nofile", Resource: 7, Cur: 1024, Max: 1<<64 - 1}, {Name: "core"}},
	}, Failed: &Failed{Step: "s", Call: "c", Path: "p", Errno: 13, Text: "t"}}
	w := &writer{}
	w.message(&want)
	got, err := (&reader{b: w.b}).message()
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Fatalf("%v\n%+v\n%+v", err, got, want)
	}
	for n := range w.b {
		if m, err := (&reader{b: w.b[:n]}).message(); err == nil {
			t.Fatalf("%d of %d bytes are read as %+v", n, len(w.b), m)
		}
	}
}

func FuzzWire(f *testing.F) {
	w := &writer{}
	w.message(&Message{Version: Version, Kind: KindSetup, Setup: &Setup{Env: []string{"A=b"}, Filter: []byte{1}}})
	f.Add(w.b)
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := (&reader{b: packet}).message()
		if err != nil {
			return
		}
		again := &writer{}
		again.message(m)
		if back, err := (&reader{b: again.b}).message(); err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%q: %+v, then %+v, %v", packet, m, back, err)
		}
	})
}

func TestReceiveRefuses(t *testing.T) {
	a, b := pair(t)
	for _, c := range []struct{ packet, want string }{
		{"\x01\x05x", "cannot decode message"},
		{"\x01\x01x\x00\x00\x00\x00", "too much"},
		{"\x01\x01x\xff\xff\xff\xff\x0f", "cut short"},
		{"\x09", "version 9"},
		{"\x01\x01x\x01\x04root\x00\x00", "0 descriptors for 1 names"},
	} {
		if _, err := unix.Write(a.fd, []byte(c.packet)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Receive(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.packet, err, c.want)
		}
	}
	unix.Shutdown(a.fd, unix.SHUT_RDWR)
	if _, _, err := b.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
