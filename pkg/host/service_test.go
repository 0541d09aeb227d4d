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

// TestKeep: SIGTERM keeps nothing, unless the service was told so and the host stays up.
func TestKeep(t *testing.T) {
	for _, c := range []struct{ keep, down, want bool }{{false, false, false}, {true, false, true}, {true, true, false}} {
		signals := make(chan os.Signal, 1)
		signals <- unix.SIGTERM
		s := &service{Options: Options{Signals: signals, Keep: c.keep, Log: func(string) {},
			GoingDown: func(context.Context) bool { return c.down }}, notify: newNotifier("")}
		if got := s.serve(t.Context()); got != c.want {
			t.Errorf("%+v: keeps %v", c, got)
		}
	}
}

// late is a part that has something to do before the service is ready.
type late struct{ part }

func (l *late) Prepare(context.Context) error {
	*l.notes = append(*l.notes, "prepare "+l.name)
	return nil
}

// TestPrepare: what others wait for is done by those that have it, and by itself.
func TestPrepare(t *testing.T) {
	var notes []string
	s := &service{Options: Options{Log: func(string) {}}, reconcilers: []Reconciler{&part{name: "one", notes: &notes}, &late{part{name: "two", notes: &notes}}}}
	s.prepare(t.Context())
	if !slices.Equal(notes, []string{"prepare two"}) {
		t.Errorf("%q", notes)
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
	if err := open("a").want([]string{"web", "db"}); err != nil {
		t.Fatal(err)
	}
	names := []string{"web", "db", "new"}
	if due := open("a").due(names); !slices.Equal(due, []string{"db"}) || !open("a").begun() {
		t.Errorf("due are %q: what was wanted and not started", due)
	}
	if due := open("b").due(names); len(due) > 0 || open("b").begun() {
		t.Errorf("marks of another boot count: %q", due)
	}
	if err := os.WriteFile(dir+"/"+markFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if open("a").begun() {
		t.Error("a damaged file counts")
	}
	if err := errors.Join(open("a").clear(), open("a").clear()); err != nil {
		t.Error(err)
	}
}
