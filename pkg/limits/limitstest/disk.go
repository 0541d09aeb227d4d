package limitstest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/disks"
)

// What testDisk writes, in pieces that each are a request of their own.
const (
	written = 3 << 20
	piece   = 128 << 10
)

// testDisk writes past the page cache to a disk with a limit of bytes, and with one of
// operations: it takes the time that the limit makes of it, however fast the disk is. The
// kernel lets a slice of time go on credit, so three quarters of it are asked for.
func testDisk(t *testing.T, h Host) {
	dir, err := os.MkdirTemp("/var/tmp", "sysct-test-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	disk, err := disks.Of(dir)
	if err != nil {
		t.Fatal(err)
	}
	device := func(d limits.IODevice) limits.Limits {
		d.Major, d.Minor = disk.Major, disk.Minor
		return limits.Limits{IO: limits.IO{Devices: []limits.IODevice{d}}}
	}
	bytes, operations := device(limits.IODevice{WriteBPS: 2 << 20}), device(limits.IODevice{WriteIOPS: 20})
	if refused(t, h, "io", bytes) { // the host's v2 tree has no io, or its v1 is left out
		return
	}
	g := h.guestOf(t, "one", bytes)
	writer := func(what string, least time.Duration) {
		t.Helper()
		begun := time.Now()
		c := startRole(t, g, "write:"+dir+"/file", 0)
		if state := c.wait(t); !state.Success() {
			t.Fatalf("%s: %v: %s", what, state, c.output.String())
		}
		if took := time.Since(begun); took < least*3/4 {
			t.Errorf("%s: %d bytes took %v, at least %v are wanted", what, written, took, least)
		}
	}
	writer("2 MiB a second", written*time.Second/(2<<20))
	if err := g.Change(bytes, operations); err != nil {
		t.Fatal(err)
	}
	writer("20 operations a second", written/piece*time.Second/20)
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.IO == nil || s.IO.WriteBytes < 2*written {
		t.Errorf("the figures haven't the %d bytes written: %+v", 2*written, s.IO)
	}
}

// write writes a file, each piece to the disk before the next.
func write(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_DIRECT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// The kernel wants it at the beginning of a page.
	b, err := unix.Mmap(-1, 0, piece, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for at := int64(0); at < written; at += piece {
		if n, err := unix.Pwrite(fd, b, at); err != nil || n != piece {
			return fmt.Errorf("%d bytes written at %d: %w", n, at, err)
		}
	}
	return nil
}
