package guest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// followed are the events of an instance as they come.
type followed struct {
	t  *testing.T
	ch chan *events.Event
}

func (in *instance) follow() *followed {
	f := &followed{in.t, make(chan *events.Event, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- in.Events(ctx, guest.EventsOptions{Follow: true}, func(e *events.Event) error {
			f.ch <- e
			return nil
		})
	}()
	in.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			in.t.Errorf("events: %v", err)
		}
	})
	return f
}

// next waits for the next event of a kind, and gives those before it too, as
// "web start, web ready".
func (f *followed) next(kind events.Kind) (*events.Event, string) {
	f.t.Helper()
	var all []string
	late := time.After(time.Minute)
	for {
		select {
		case e := <-f.ch:
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Guest, e.Kind, e.Reason)))
			if e.Kind == kind {
				return e, strings.Join(all, ", ")
			}
		case <-late:
			f.t.Fatalf("no event %q in a minute; there were: %s", kind, strings.Join(all, ", "))
		}
	}
}

func (in *instance) set(name string, pairs ...string) {
	in.t.Helper()
	var changes []spec.Change
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		changes = append(changes, spec.Change{Key: key, Value: value})
	}
	if _, err := in.SetConfig(context.Background(), name, changes); err != nil {
		in.t.Fatal(err)
	}
}

// TestHogsAreHeldAndSeen: what takes too much memory, or forks without end, is stopped
// in its guest; the host and another guest go on, and who follows the events sees it.
func TestHogsAreHeldAndSeen(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("hog", "busybox", "overlay")
	in.create("calm", "busybox", "overlay")
	in.set("hog", "limits.memory=48M", "limits.pids=40")
	seen := in.follow()
	in.start("calm")
	in.start("hog")
	in.ready("hog")
	pid := *in.info("calm").Pid

	if _, status := in.run("hog", "tail", "/dev/zero"); status != 128+9 {
		t.Errorf("the memory hog ended with %d, want 137", status)
	}
	e, _ := seen.next(events.OOM)
	if e.Guest != "hog" || e.Count != 1 || e.Limit == nil || *e.Limit != 48<<20 {
		t.Errorf("the hog's event is %+v", e)
	}
	if n := in.info("hog").Use().OOMKills; n == nil || *n != 1 {
		t.Errorf("info counts %v kills", n)
	}

	in.exec("hog", guest.ExecOptions{Args: []string{"sh", "-c", "for i in $(seq 60); do sleep 30 & done; true"}})
	e, _ = seen.next(events.Pids)
	if e.Guest != "hog" || e.Count < 1 || e.Limit == nil || *e.Limit != 40 {
		t.Errorf("the fork bomb's event is %+v", e)
	}
	if n := in.info("hog").Use().Pids; n == nil || *n > 40 {
		t.Errorf("with a fork bomb the guest has %v processes", n)
	}
	if out, status := in.run("calm", "echo", "on"); out != "on\n" || status != 0 || *in.info("calm").Pid != pid {
		t.Errorf("beside it the other guest answers %q, %d", out, status)
	}
	if err := in.Stop(ctx, "hog", guest.StopOptions{Timeout: new(time.Duration)}); err != nil {
		t.Fatal(err)
	}
	if _, all := seen.next(events.Stop); !strings.HasSuffix(all, "hog stop killed") {
		t.Errorf("events: %s", all)
	}

	in.set("hog", "init.cmd=[\"/usr/bin/tail\", \"/dev/zero\"]")
	in.start("hog")
	if err := in.Wait(ctx, "hog", guest.WaitOptions{States: []state.State{state.Stopped}, Timeout: minute()}); err != nil {
		t.Fatal(err)
	}
	if x := in.info("hog").Exit; x == nil || x.Reason != state.ReasonOOM {
		t.Errorf("an init that was killed for lack of memory: %+v", x)
	}
	if _, all := seen.next(events.Stop); all != "hog start, hog oom, hog stop oom" {
		t.Errorf("events: %s", all)
	}
	why, err := in.Why(ctx, "hog")
	if err != nil || why.Boot == nil || why.Boot.Exit == nil || why.Boot.Exit.Reason != state.ReasonOOM || why.Boot.OOMKills != 1 {
		t.Errorf("why: %+v, %v", why, err)
	}
}

// TestEventsOfALife: what the log has of guests, by their names of then, also when they
// are gone.
func TestEventsOfALife(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("one", "busybox", "overlay")
	if _, err := in.Clone(ctx, "one", "two", guest.CloneOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := in.Rename(ctx, "two", "three", guest.RenameOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := in.Destroy(ctx, "three", guest.DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, when := range []struct {
		o    guest.EventsOptions
		want string
	}{
		{guest.EventsOptions{Last: -1}, "one create busybox, two clone one, three rename two, three destroy"},
		{guest.EventsOptions{Last: 2}, "three rename two, three destroy"},
		{guest.EventsOptions{Last: -1, Names: []string{"two"}}, "two clone one, three rename two"},
		{guest.EventsOptions{Last: -1, Names: []string{"two"}, Since: time.Now()}, ""},
		{guest.EventsOptions{Last: -1, Since: time.Now()}, ""},
		{guest.EventsOptions{}, ""},
	} {
		var got []string
		err := in.Events(ctx, when.o, func(e *events.Event) error {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Guest, e.Kind, e.From)))
			return nil
		})
		if all := strings.Join(got, ", "); err != nil || all != when.want {
			t.Errorf("%+v: %q, want %q, %v", when.o, all, when.want, err)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, time.Minute) // a follower that isn't refused ends without an error
	defer cancel()
	for _, o := range []guest.EventsOptions{
		{Last: -1, Names: []string{"one", "nobody"}}, {Follow: true, Names: []string{"one", "three"}},
	} {
		err := in.Events(bounded, o, func(e *events.Event) error { return fmt.Errorf("%s %s is read out", e.Guest, e.Kind) })
		if !errors.Is(err, guest.ErrNoGuest) || !strings.HasPrefix(err.Error(), o.Names[1]+": no such guest") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
