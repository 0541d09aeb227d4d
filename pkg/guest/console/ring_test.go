package console_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// patternPeriod is a prime, so that no ring's size hides a wrong position.
const patternPeriod = 65521

// byteAt is what a test's ring has at a position: a wrong position shows.
func byteAt(pos uint64) byte {
	pos %= patternPeriod
	return byte(pos ^ pos>>8*31)
}

func pattern(from uint64, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byteAt(from + uint64(i))
	}
	return p
}

// A ring is the tail of all that was written, whoever wrote it.
func TestRingKeepsTheTail(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, err := console.NewRing(rapid.IntRange(1, 3*console.MinRing).Draw(rt, "size"))
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { r.Close() }()
		var all []byte
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				p := pattern(uint64(len(all)), rapid.IntRange(0, 2*r.Size()).Draw(rt, "n"))
				r.Write(p)
				all = append(all, p...)
			},
			"adopt": func(rt *rapid.T) {
				fd, err := unix.FcntlInt(uintptr(r.FD()), unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					rt.Fatal(err)
				}
				adopted, err := console.OpenRing(fd)
				if err != nil {
					rt.Fatal(err)
				}
				if err := r.Close(); err != nil {
					rt.Fatal(err)
				}
				r = adopted
			},
			"": func(rt *rapid.T) {
				want := all[max(0, len(all)-r.Size()):]
				if got := r.Snapshot(); !bytes.Equal(got, want) {
					rt.Fatalf("%d bytes, want the last %d of %d", len(got), len(want), len(all))
				}
				if r.End() != uint64(len(all)) || r.Start() != uint64(len(all)-len(want)) {
					rt.Fatalf("from %d to %d, want to %d", r.Start(), r.End(), len(all))
				}
			},
		})
	})
}

// ringWriter appends to the ring in descriptor 3 until it is killed.
func ringWriter() {
	r, err := console.OpenRing(3)
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("x")
	text := pattern(0, 2*patternPeriod)
	for n := 1; ; n = n*7%12289 + 1 {
		r.Write(text[r.End()%patternPeriod:][:n])
	}
}

// Whenever its writer is killed, a ring has no wrong byte, and another process
// can go on with it.
func TestRingSurvivesKill(t *testing.T) {
	r := newRing(t, 4*console.MinRing)
	for range 40 {
		kill := startRingWriter(t, r)
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		kill()
		got := r.Snapshot()
		if want := pattern(r.Start(), int(r.End()-r.Start())); !bytes.Equal(got, want) {
			t.Fatalf("the ring from %d to %d has bytes that weren't written there", r.Start(), r.End())
		}
		if len(got) < r.Size()/2 && r.End() > uint64(r.Size()) {
			t.Fatalf("a killed writer cost all but %d of %d bytes", len(got), r.Size())
		}
	}
	if r.End() == 0 {
		t.Fatal("nothing was written")
	}
}

func startRingWriter(t *testing.T, r *console.Ring) (kill func()) {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(r.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "ring")
	defer f.Close()
	cmd := role(t, "ring")
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return func() { cmd.Process.Kill(); cmd.Wait() }
}

// TestRingOfVersion1: a monitor of the version before had a page of header.
func TestRingOfVersion1(t *testing.T) {
	fd, err := unix.MemfdCreate("old", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	file := make([]byte, 4096+console.MinRing)
	for at, v := range map[int]uint64{0: 0x676e697274637973, 8: 1, 16: console.MinRing, 24: 5, 32: 5} {
		binary.NativeEndian.PutUint64(file[at:], v)
	}
	copy(file[4096:], "hello")
	if _, err := unix.Write(fd, file); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		t.Fatal(err)
	}
	r, err := console.OpenRing(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Write([]byte(", world"))
	if got := string(r.Snapshot()); got != "hello, world" {
		t.Errorf("got %q", got)
	}
	for n, want := range map[int]string{3: "rld", 100: "hello, world", 0: ""} {
		if got := string(r.Last(n)); got != want {
			t.Errorf("the last %d: %q", n, got)
		}
	}
}

// The same for the worst moment, which a kill seldom meets: the writer has claimed
// room and copied half of its bytes.
func TestRingHalfWritten(t *testing.T) {
	const size = 4 * console.MinRing
	r := newRing(t, size)
	r.Write(pattern(0, size+100))
	claim := binary.NativeEndian.AppendUint64(nil, size+100+3000)
	for at, p := range map[int64][]byte{24: claim, 64 + 100: make([]byte, 1500)} {
		if _, err := unix.Pwrite(r.FD(), p, at); err != nil {
			t.Fatal(err)
		}
	}
	fits := func(start, end uint64) {
		t.Helper()
		if r.Start() != start || r.End() != end || !bytes.Equal(r.Snapshot(), pattern(start, int(end-start))) {
			t.Fatalf("from %d to %d, want %d and %d", r.Start(), r.End(), start, end)
		}
	}
	fits(3100, size+100)
	r.Write(pattern(size+100, 10))
	fits(3100, size+110)
	r.Write(pattern(size+110, 3000))
	fits(3110, size+3110)
}

func TestOpenRingRefuses(t *testing.T) {
	spoilt := func(at int64, b byte) int {
		r := newRing(t, console.MinRing)
		if _, err := unix.Pwrite(r.FD(), []byte{b}, at); err != nil {
			t.Fatal(err)
		}
		return r.FD()
	}
	memfd := func(size int64) int {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Ftruncate(fd, size); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	sealed := memfd(4095)
	if _, err := unix.FcntlInt(uintptr(sealed), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, fd := range map[string]int{
		"no ring":       int(null.Fd()),
		"closed":        -1,
		"not sealed":    memfd(8192),
		"too small":     sealed,
		"magic":         spoilt(0, 0),
		"version":       spoilt(8, 3),
		"capacity":      spoilt(18, 1),
		"claimed short": spoilt(32, 1),
		"claimed far":   spoilt(26, 1),
	} {
		if r, err := console.OpenRing(fd); err == nil {
			r.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestNewRingRefusesSizes(t *testing.T) {
	for _, size := range []int{-1, 0, 1 << 40} {
		if _, err := console.NewRing(size); err == nil {
			t.Errorf("%d: no error", size)
		}
	}
}
