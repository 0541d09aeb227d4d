package host

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// part is a reconciler that notes its turns.
type part struct {
	name    string
	err     error
	notes   *[]string
	changed chan struct{}
}

func (p *part) Name() string { return p.name }

func (p *part) Reconcile(context.Context) error {
	*p.notes = append(*p.notes, p.name)
	return p.err
}

func (p *part) Close(_ context.Context, keep bool) error {
	note := "close " + p.name
	if keep {
		note += ", keep"
	}
	*p.notes = append(*p.notes, note)
	return p.err
}

func (p *part) Changed() <-chan struct{} { return p.changed }

// TestTurns: every reconciler has its turn at a reload, one alone when it asks for it, and
// an error of one is logged and keeps none of the others back; at the end the last is
// closed first.
func TestTurns(t *testing.T) {
	var notes, log []string
	signals := make(chan os.Signal)
	one := &part{name: "one", err: errors.Join(errors.New("first"), errors.New("second\nhint: x")), notes: &notes}
	two := &part{name: "two", notes: &notes, changed: make(chan struct{})}
	s := &service{
		Options: Options{Signals: signals, Log: func(line string) { log = append(log, line) }},
		notify:  newNotifier(""), reconcilers: []Reconciler{one, two},
	}
	kept := make(chan bool)
	go func() { kept <- s.serve(t.Context()) }()
	signals <- unix.SIGHUP
	two.changed <- struct{}{}
	// Taken after the turn that two has asked for, or before it: both are turns.
	signals <- unix.SIGHUP
	signals <- unix.SIGUSR1
	select {
	case keep := <-kept:
		if !keep {
			t.Error("SIGUSR1 keeps nothing")
		}
	case <-time.After(time.Minute):
		t.Fatal("the service doesn't end")
	}
	if err := s.close(t.Context(), true); err == nil || !strings.Contains(err.Error(), "one: first") {
		t.Errorf("the error of a close: %v", err)
	}
	if n := len(notes); n < 6 || !slices.Equal(notes[:2], []string{"one", "two"}) || !slices.Equal(notes[n-2:], []string{"close two, keep", "close one, keep"}) {
		t.Errorf("turns: %q", notes)
	}
	if !slices.Contains(log, "one: first") || !slices.Contains(log, "one: second") {
		t.Errorf("log: %q", log)
	}
}

// TestKeep: SIGTERM keeps nothing, unless the service was told so.
func TestKeep(t *testing.T) {
	for _, keep := range []bool{false, true} {
		signals := make(chan os.Signal, 1)
		signals <- unix.SIGTERM
		s := &service{Options: Options{Signals: signals, Keep: keep, Log: func(string) {}}, notify: newNotifier("")}
		if got := s.serve(t.Context()); got != keep {
			t.Errorf("told %v, keeps %v", keep, got)
		}
	}
}

// TestMarks: what was started counts until the host boots again.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	open := func(boot string) *marks {
		m, err := openMarks(dir, boot)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if err := open("a").add("web"); err != nil {
		t.Fatal(err)
	}
	if !open("a").has("web") || open("a").has("db") || open("b").has("web") {
		t.Error("the marks of this boot and no others count")
	}
	if err := os.WriteFile(dir+"/"+markFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if open("a").has("web") {
		t.Error("a damaged file counts")
	}
	if err := errors.Join(open("a").clear(), open("a").clear()); err != nil {
		t.Error(err)
	}
}
