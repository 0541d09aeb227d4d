package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
)

// lockName is held by the monitor as long as it lives: a guest has one.
const lockName = "monitor.lock"

// lockTimeout is for a monitor before this one that is just ending.
const lockTimeout = 5 * time.Second

// setup makes what a monitor needs before anything happens to its guest: its
// log, its socket, its memory, all known to the service manager.
func setup(h *heritage) (*monitor, error) {
	plan, err := h.plan()
	if err != nil {
		return nil, err
	}
	m := &monitor{plan: plan, backend: backendOf(plan, h.tree), report: h.report, manager: h.manager, peers: map[int]*peer{}, guestDir: -1, pidfd: -1, notify: -1, views: viewServer{dev: -1}, version: h.version}
	m.effort.bound(&plan.Limits)
	if err := m.lockDir(h); err != nil {
		return nil, err
	}
	m.favoured = setScore(ownScore)
	os.WriteFile("/proc/self/comm", []byte("sysct-monitor"), 0) // the name in ps; harmless if it fails
	if h.again {
		// A guest that runs is kept, whatever became of the directory.
		_ = os.MkdirAll(plan.LogDir, 0o700)
	}
	logDir, err := unix.Open(plan.LogDir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open log directory: %w", err)
	}
	defer unix.Close(logDir)
	if _, again := h.fds[fdShared]; again && !h.renewed {
		h.crash = lastCrash(filepath.Join(plan.LogDir, plan.Name+".log")) // before anything is added
	}
	m.log = openLog(logDir, plan.LogDir, plan.Name)
	if err := m.openRunDir(); err != nil {
		return nil, err
	}
	if m.loop, err = epoll.New(); err != nil {
		return nil, err
	}
	m.openStore(h)
	m.storeDir(h)
	if err := m.keepWritable(h.again); err != nil {
		return nil, err
	}
	m.keepPlan(h)
	if err := m.openLife(h); err != nil {
		return nil, err
	}
	if err := m.checkOccupied(h); err != nil {
		return nil, err
	}
	if err := m.openScreens(h, logDir); err != nil {
		return nil, err
	}
	m.core = NewCore(policyOf(plan, h.version), h.life)
	return m, m.openControl(h)
}

// backendOf makes groups in the host's hierarchies, or in those that its service manager
// delegates.
func backendOf(p *Plan, tree cgroupfs.Tree) limits.Backend {
	if len(p.ScopeCmd) > 0 {
		return cgroupfs.NewDelegated(tree)
	}
	return cgroupfs.New(tree)
}

// checkOccupied keeps a new life from beginning beside what is left of an old
// one, unless the plan allows to end that.
func (m *monitor) checkOccupied(h *heritage) error {
	if h.life != nil {
		return nil
	}
	group, err := m.openGroup()
	if err != nil || group == nil {
		return err
	}
	defer group.Close()
	if h.occupied, _, err = group.Events(); err != nil {
		return err
	}
	if h.occupied && !m.plan.Recover {
		return errors.New("processes of an earlier life run, and no monitor keeps them")
	}
	return nil
}

func policyOf(p *Plan, version string) Policy {
	return Policy{
		OnFailure:   p.Restart == RestartOnFailure,
		StopTimeout: p.StopTimeout,
		Ephemeral:   p.Ephemeral,
		Version:     version,
		ReadyCmd:    len(p.ReadyCmd) > 0,
		Hooks:       len(p.Context.Hooks.Commands) > 0,
		HookTime:    p.Context.Hooks.Most(hooks.Stop, hooks.PostStop, hooks.Destroy),
		Run:         state.Run{BootID: p.BootID, MonitorPid: os.Getpid(), IDBase: p.Context.IDs.Base, IDSize: p.Context.IDs.Size, Nesting: p.Context.Nesting},
	}
}

func (m *monitor) openRunDir() error {
	path := filepath.Join(m.plan.RunDir, m.plan.Name)
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot make run directory: %w", err)
	}
	var err error
	m.dir, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open run directory %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	if m.lock, err = flock.Acquire(ctx, filepath.Join(path, lockName), false); err != nil {
		return fmt.Errorf("cannot keep guest: it has a monitor: %w", err)
	}
	m.sweepRunDir(path)
	return nil
}

// sweepRunDir removes what a monitor has left that was killed while it wrote.
func (m *monitor) sweepRunDir(path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		m.log.say(err.Error())
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), atomicfile.TempPrefix) {
			continue
		}
		if err := unix.Unlinkat(m.dir, e.Name(), 0); err != nil {
			m.log.say("cannot remove " + e.Name() + ": " + err.Error())
		}
	}
}

// openStore finds the service manager. Without one a monitor works, and isn't
// replaced when it dies.
func (m *monitor) openStore(h *heritage) {
	store, err := fdstore.Open(h.manager.Notify)
	if err != nil {
		m.log.say("nobody keeps this monitor's descriptors: " + err.Error())
		return
	}
	m.store = store
	m.watchManager(h.manager.Pid)
}

// openLife finds the state of the life, or begins it.
func (m *monitor) openLife(h *heritage) error {
	if err := failpoint("open life"); err != nil {
		return err
	}
	fd, ok := h.take(fdShared)
	if !ok {
		var err error
		m.slots, err = newSlots()
		if err == nil {
			m.keep(fdShared, m.slots.fd)
		}
		return err
	}
	var err error
	m.slots, h.life, err = openSlots(fd)
	if err != nil {
		m.log.say(err.Error())
		m.slots = &slots{fd: fd}
	}
	if h.life == nil {
		h.life = m.guessLife(h)
	}
	m.inherit(fdShared, fd)
	return nil
}

// guessLife stands in for a state that was never written or can't be read: an
// init that was stored runs, else nothing is there that is worth keeping.
func (m *monitor) guessLife(h *heritage) *Life {
	fd, ok := h.fds[fdInit]
	pid, err := pidOf(fd)
	if !ok || err != nil {
		return &Life{Phase: PhaseLaunch, State: state.Starting}
	}
	return &Life{Phase: PhaseUp, State: state.Running, Pid: pid, Boots: 1, StartedAt: time.Now()}
}

// openControl listens. A socket that was handed over has clients in its queue.
func (m *monitor) openControl(h *heritage) error {
	if err := failpoint("listen"); err != nil {
		return err
	}
	fd, ok := h.take(fdControl)
	if ok {
		m.inherit(fdControl, fd)
	} else {
		var err error
		if fd, err = control.Listen(m.dir); err != nil {
			return err
		}
		m.keep(fdControl, fd)
	}
	m.listen = fd
	return m.loop.Add(fd, unix.EPOLLIN, func(uint32) { m.acceptAll() })
}
