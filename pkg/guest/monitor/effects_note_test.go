package monitor

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/console"
	"github.com/sysct/sysct/pkg/guest/events"
)

// TestNoteHoldsUpNobody: while an event can't be written the loop goes on; who is answered
// waits a moment, the first one alone.
func TestNoteHoldsUpNobody(t *testing.T) {
	loop, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	dir := t.TempDir()
	lock, err := flock.Acquire(context.Background(), dir+"/events.lock", false)
	if err != nil {
		t.Fatal(err)
	}
	dirFD, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dirFD)
	log, err := console.NewLog(dirFD, "log", console.LogOptions{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{loop: loop, log: &logger{log: log}, plan: &Plan{Name: "web", LogDir: dir}}
	m.note(events.Event{Kind: events.OOM, Time: time.Now()})
	if m.notes.busy == nil || m.notes.waited {
		t.Errorf("it has been waited for, with nobody to be answered: %+v", m.notes)
	}
	began := time.Now()
	m.awaitNotes()
	if took := time.Since(began); took < noteGrace || !m.notes.waited {
		t.Errorf("who is answered has waited for %v", took)
	}
	lock.Release()
	for late := time.Now().Add(time.Minute); m.notes.busy != nil; {
		if time.Now().After(late) {
			t.Fatal("it isn't written in a minute")
		}
		if err := loop.Round(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(dir + "/events.jsonl"); err != nil || len(data) == 0 {
		said, _ := os.ReadFile(dir + "/log")
		t.Errorf("there is %q, %v, and in the log %q", data, err, said)
	}
}
