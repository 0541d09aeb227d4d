package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func event(guest string) *Event {
	return &Event{Time: time.Now(), BootID: "b", Guest: guest, Kind: OOM, Count: 1}
}

func appendTo(t *testing.T, dir string, size int64, guests ...string) {
	t.Helper()
	for _, g := range guests {
		if err := Append(context.Background(), dir, size, event(g)); err != nil {
			t.Fatal(err)
		}
	}
}

func openReader(t *testing.T, dir string) *Reader {
	t.Helper()
	r, err := OpenReader(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// read gives the guests of the events that are new to r, as "a b c".
func read(t *testing.T, r *Reader) string {
	t.Helper()
	var got []string
	err := r.Read(context.Background(), func(e *Event) error {
		got = append(got, e.Guest)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got, " ")
}

// line is the size of a test's line, about.
const line = 150

func TestReadsOverRotations(t *testing.T) {
	for name, when := range map[string]struct {
		size   int64
		read   []string // what is appended before each read
		want   []string
		missed uint64
	}{
		"no rotation":       {10 * line, []string{"a b", "", "c"}, []string{"a b", "", "c"}, 0},
		"after each":        {1, []string{"a", "b", "c"}, []string{"a", "b", "c"}, 0},
		"between reads":     {2 * line, []string{"a", "b c", "d e f"}, []string{"a", "b c", "d e f"}, 0},
		"two between reads": {1, []string{"a", "b c", "d"}, []string{"a", "b c", "d"}, 0},
		"more than is kept": {1, []string{"a", "b c d e f"}, []string{"a", "e f"}, 3},
		"nothing at first":  {2 * line, []string{"", "a", "b c d"}, []string{"", "a", "b c d"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var missed uint64
			r := openReader(t, dir)
			r.Missed = func(n uint64) { missed += n }
			for i, guests := range when.read {
				appendTo(t, dir, when.size, strings.Fields(guests)...)
				if got := read(t, r); got != when.want[i] {
					t.Errorf("read %d: got %q, want %q", i, got, when.want[i])
				}
			}
			if missed != when.missed {
				t.Errorf("%d missed, want %d", missed, when.missed)
			}
		})
	}
}

// TestFollowsWriters: with many that write and rotate at once every event is seen once
// and in order, or is known to be missed.
func TestFollowsWriters(t *testing.T) {
	const writers, each = 4, 100
	dir := t.TempDir()
	w, err := OpenWatch(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := openReader(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for range each {
				if err := Append(ctx, dir, 20*line, event(fmt.Sprintf("w%d", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var seen, missed, last uint64
	r.Missed = func(n uint64) { missed += n; last += n }
	done := errors.New("all are there")
	err = r.Follow(ctx, w, func(e *Event) error {
		if e.Seq != last+1 {
			t.Errorf("event %d follows %d", e.Seq, last)
		}
		seen, last = seen+1, e.Seq
		if last == writers*each {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) || seen+missed != writers*each {
		t.Errorf("%v: %d events seen and %d missed of %d", err, seen, missed, writers*each)
	}
	all.Wait()
}

// TestTornLine: what a crash, or a full disk, has left of a line is no event, and the
// numbers go on.
func TestTornLine(t *testing.T) {
	dir := t.TempDir()
	appendTo(t, dir, DefaultSize, "a", "b")
	r := openReader(t, dir)
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"seq":3,"time":"2026-`)
	f.Close()
	if got := read(t, r); got != "a b" {
		t.Errorf("got %q", got)
	}
	appendTo(t, dir, DefaultSize, "c")
	if got := read(t, r); got != "c" || r.last != 3 {
		t.Errorf("got %q, number %d", got, r.last)
	}
}

// TestFullDisk: an event that doesn't fit leaves nothing, and the next one that does is
// whole.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	r := openReader(t, dir)
	wrote := 0
	for {
		err := Append(context.Background(), dir, DefaultSize, event("a"))
		if err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			break
		}
		wrote++
	}
	if got := len(strings.Fields(read(t, r))); got != wrote || wrote == 0 {
		t.Errorf("%d of %d events read", got, wrote)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64k"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, dir, DefaultSize, "b")
	if got := read(t, r); got != "b" || r.last != uint64(wrote+1) {
		t.Errorf("got %q, number %d after %d", got, r.last, wrote)
	}
}

func TestRemovedByHand(t *testing.T) {
	dir := t.TempDir()
	appendTo(t, dir, DefaultSize, "a", "b", "c")
	r := openReader(t, dir)
	r.Missed = func(n uint64) { t.Errorf("%d missed", n) }
	read(t, r)
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	appendTo(t, dir, DefaultSize, "d", "e")
	if got := read(t, r); got != "d e" {
		t.Errorf("got %q", got)
	}
}

// TestNoRegularFile: nothing that is put in the place of the log hangs a writer.
func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, fileName), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Append(context.Background(), dir, DefaultSize, event("a")); err == nil {
		t.Error("an event was written into a FIFO")
	}
}

// TestLongTextsFit: whatever an event says is one line of a page at most.
func TestLongTextsFit(t *testing.T) {
	long := strings.Repeat("\\\"\n\x1b€", 5000)
	e := &Event{Time: time.Now(), BootID: long, Guest: long, Kind: Change, From: long, Reason: long, Signal: long,
		Version: long, Message: long}
	for range 1000 {
		e.Keys = append(e.Keys, long)
		e.Values = append(e.Values, Value{long, long, long})
	}
	text, err := Encode(e)
	if err != nil || len(text) > maxLine || strings.Count(string(text), "\n") != 1 || strings.Contains(string(text), "\x1b") {
		t.Errorf("%d bytes, %v: %.200q", len(text), err, text)
	}
	if _, err := Decode(text); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	seed, err := Encode(event("web"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	f.Add(`{"seq":1,"time":"2026-11-23T00:51:45Z","guest":"\u0000","event":"stop","keys":["a"],"limit":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Decode([]byte(text))
		if err != nil {
			return
		}
		again, err := Encode(e)
		if err != nil {
			return // a guest's name of which nothing is printable
		}
		if len(again) > maxLine {
			t.Fatalf("%d bytes", len(again))
		}
		twice, err := Decode(again)
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		if third, err := Encode(twice); err != nil || string(third) != string(again) {
			t.Errorf("%q became %q, %v", again, third, err)
		}
	})
}
