package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// EventsOptions choose of an instance's events. The zero value is none of the past ones.
type EventsOptions struct {
	Names  []string     // of guests of these names, which needn't be there any more; none: of all
	Since  time.Time    // those after it; zero: all
	Last   int          // the last so many of the past ones, below 0: all
	Follow bool         // and those to come, until ctx ends, which is no error then
	Missed func(uint64) // is told how many were lost because the log grew faster than it was read; nil: nobody
}

// Events calls do for each event, the oldest first, until it returns an error. ErrNoGuest,
// before anything is read out: a name is no guest's, and no event's either; or Follow is
// asked for and it is no guest's.
func (m *Manager) Events(ctx context.Context, o EventsOptions, do func(*events.Event) error) error {
	for _, name := range o.Names {
		if err := spec.CheckName(name); err != nil {
			return as(ErrConfig, fmt.Errorf("%s: %w", name, err))
		}
	}
	unknown := slices.DeleteFunc(slices.Clone(o.Names), m.isGuest)
	if o.Follow { // nothing may ever come of them, and nobody would learn that a name is misspelt
		if err := m.noEvents(unknown); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(m.dirs.Log); errors.Is(err, os.ErrNotExist) && !o.Follow {
		return m.noEvents(unknown)
	}
	if err := privateDir(m.dirs.Log); err != nil {
		return err
	}
	var watch *events.Watch
	var err error
	if o.Follow { // before the log is read, so that nothing falls in between
		if watch, err = events.OpenWatch(m.dirs.Log); err != nil {
			return err
		}
		defer watch.Close()
	}
	r, err := events.OpenReader(ctx, m.dirs.Log)
	if err != nil {
		return err
	}
	defer r.Close()
	past := &lastEvents{most: o.Last}
	if err := r.Read(ctx, func(e *events.Event) error {
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return e.About([]string{name}) })
		if o.wants(e) {
			past.add(e)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := m.noEvents(unknown); err != nil {
		return err
	}
	for _, e := range past.all {
		if err := do(e); err != nil {
			return err
		}
	}
	if !o.Follow {
		return nil
	}
	r.Missed = o.Missed
	return r.Follow(ctx, watch, func(e *events.Event) error {
		if !o.wants(e) {
			return nil
		}
		return do(e)
	})
}

// noEvents is ErrNoGuest for the first of names that neither a guest has nor an event; nil:
// there are none.
func (m *Manager) noEvents(names []string) error {
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", names[0], m.noGuest(names[0]))
}

func (o *EventsOptions) wants(e *events.Event) bool {
	return e.About(o.Names) && !e.Time.Before(o.Since)
}

// lastEvents keeps the last of many.
type lastEvents struct {
	most int // below 0: all
	all  []*events.Event
}

func (l *lastEvents) add(e *events.Event) {
	l.all = append(l.all, e)
	if l.most >= 0 && len(l.all) > l.most {
		l.all = l.all[1:]
	}
}

// eventPatience is how long a verb waits for others that write events.
const eventPatience = 2 * time.Second

// happened writes an event. What it is of has happened: a failure is a warning.
func (m *Manager) happened(ctx context.Context, e events.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventPatience)
	defer cancel()
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	e.Time, e.Mono = time.Now(), ts.Nano()/int64(time.Microsecond)
	if err == nil {
		e.BootID, err = bootID()
	}
	if err == nil {
		err = privateDir(m.dirs.Log)
	}
	if err == nil {
		err = events.Append(ctx, m.dirs.Log, events.DefaultSize, &e)
	}
	if err != nil {
		m.opt.Warn(oneLine(err))
	}
}
