package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest"
)

// Options say how the service is run.
type Options struct {
	Manager *guest.Manager
	// Signals are what the service heeds: SIGHUP, SIGUSR1, SIGTERM and SIGINT.
	Signals <-chan os.Signal
	// Notify is NOTIFY_SOCKET's value: where the service manager listens; "" for none.
	Notify string
	// Log takes a line for the administrator.
	Log func(line string)
	// Keep has the guests run on when the service ends, unless the host goes down.
	Keep bool
	// GoingDown says whether the host goes down; nil: never.
	GoingDown func(ctx context.Context) bool
	// Jobs is how many guests start at the same time; 0: as many as there are.
	Jobs int
	// Patience bounds how long a guest waits for another to be ready; 0: five minutes.
	Patience time.Duration
}

// defaultPatience is enough for a Debian guest on a host that starts many.
const defaultPatience = 5 * time.Minute

// service is a run of the service.
type service struct {
	Options
	dir         string // of its own, in the run directory
	notify      *notifier
	reconcilers []Reconciler
}

// Run serves until a signal ends it: SIGTERM or SIGINT, after which guests are stopped
// unless they are to be kept or are systemd's, or SIGUSR1, after which all is kept.
// guest.ErrLocked if the service of this instance runs already.
func Run(ctx context.Context, o Options) error {
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	s := &service{Options: o, dir: filepath.Join(o.Manager.Dirs().Run, ".host"), notify: newNotifier(o.Notify)}
	lock, err := s.lock()
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := s.register(); err != nil {
		return err
	}
	s.prepare(ctx)
	s.notify.ready()
	s.collect(ctx)
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	s.reconcile(work)
	s.logf("the host service runs")
	keep := s.serve(work)
	s.notify.stopping()
	cancel()
	err = s.close(context.WithoutCancel(ctx), keep)
	if keep || o.Manager.Units() {
		s.logf("the host service ends; guests run on")
	} else {
		s.logf("the host service ends")
	}
	return err
}

// register makes the list of what the service keeps, in the order of its turns.
func (s *service) register() error {
	auto, err := newAutostart(s)
	s.reconcilers = []Reconciler{newNetworks(s), auto, newMachines(s)}
	return err
}

// lock makes the service the instance's only one.
func (s *service) lock() (*flock.Lock, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", s.dir, err)
	}
	lock, err := flock.TryAcquire(lockPath(s.Manager))
	if errors.Is(err, flock.ErrHeld) {
		return nil, &runsError{err}
	}
	return lock, err
}

// runsError is that the service runs already; the cause says which process it is.
type runsError struct{ err error }

func (e *runsError) Error() string        { return "the host service runs already: " + e.err.Error() }
func (e *runsError) Is(target error) bool { return target == guest.ErrLocked }
func (e *runsError) Unwrap() error        { return e.err }

func lockPath(m *guest.Manager) string { return filepath.Join(m.Dirs().Run, ".host", "lock") }

// Running says whether the service of the manager's instance runs.
func Running(m *guest.Manager) bool {
	if _, err := os.Lstat(lockPath(m)); err != nil {
		return false
	}
	lock, err := flock.TryAcquire(lockPath(m))
	if err == nil {
		lock.Release()
	}
	return errors.Is(err, flock.ErrHeld)
}

// collect removes what killed verbs and an earlier boot of the host have left.
func (s *service) collect(ctx context.Context) {
	removed, err := s.Manager.GC(ctx, guest.GCOptions{})
	for _, line := range removed {
		s.logf("removed: %s", line)
	}
	s.logError("gc", err)
}

// prepare does what others wait for that come after the service, monitors of guests among
// them: it mustn't last.
func (s *service) prepare(ctx context.Context) {
	for _, r := range s.reconcilers {
		if p, ok := r.(Preparer); ok {
			s.logError(r.Name(), p.Prepare(ctx))
		}
	}
}

// reconcile gives each its turn.
func (s *service) reconcile(ctx context.Context) {
	for _, r := range s.reconcilers {
		s.logError(r.Name(), r.Reconcile(ctx))
	}
}

// close ends all, the last first.
func (s *service) close(ctx context.Context, keep bool) error {
	var errs []error
	for _, r := range slices.Backward(s.reconcilers) {
		if err := r.Close(ctx, keep); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// serve heeds signals and triggers until the end, and says whether all is to be kept.
func (s *service) serve(ctx context.Context) (keep bool) {
	changed := make(chan Reconciler)
	for _, r := range s.reconcilers {
		if t, ok := r.(Trigger); ok {
			go forward(ctx, r, t, changed)
		}
	}
	for {
		select {
		case r := <-changed:
			s.logError(r.Name(), r.Reconcile(ctx))
		case sig := <-s.Signals:
			switch sig {
			case unix.SIGHUP:
				s.logf("SIGHUP: reading the configuration again")
				s.notify.reloading()
				s.reconcile(ctx)
				s.notify.ready()
			case unix.SIGUSR1:
				return true
			case unix.SIGTERM, unix.SIGINT:
				return s.Keep && (s.GoingDown == nil || !s.GoingDown(context.WithoutCancel(ctx)))
			}
		}
	}
}

// forward passes a trigger on until ctx ends.
func forward(ctx context.Context, r Reconciler, t Trigger, changed chan<- Reconciler) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.Changed():
		}
		select {
		case <-ctx.Done():
			return
		case changed <- r:
		}
	}
}

func (s *service) logf(format string, args ...any) { s.Log(fmt.Sprintf(format, args...)) }

// logError logs an error, a line for each of those that were joined.
func (s *service) logError(what string, err error) {
	if err == nil {
		return
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		for _, e := range joined.Unwrap() {
			s.logError(what, e)
		}
		return
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	s.logf("%s: %s", what, line)
}
