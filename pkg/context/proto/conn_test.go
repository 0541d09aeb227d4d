package proto

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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

func TestReceiveRefuses(t *testing.T) {
	a, b := pair(t)
	for _, c := range []struct{ packet, want string }{
		{"{", "cannot decode message"},
		{`{"version":9}`, "version 9"},
		{`{"version":1,"kind":"x","fds":["root"]}`, "0 descriptors for 1 names"},
	} {
		if _, err := unix.Write(a.fd, []byte(c.packet)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Receive(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.packet, err, c.want)
		}
	}
	unix.Shutdown(a.fd, unix.SHUT_RDWR)
	if _, _, err := b.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
