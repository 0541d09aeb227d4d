package monitor

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/images/store"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/devices"
)

// launchJob makes the groups and the guest in them.
func (m *monitor) launchJob() func() func() {
	first := m.core.Life.Boots == 0
	m.screens[0].boot = m.screens[0].ring.Written()
	hooked := m.newLaunchHooks()
	return func() func() {
		var group limits.Group
		var scope *scope
		err := hooked.preStart()
		if err == nil {
			scope, err = openScope(m.plan.ScopeCmd)
		}
		if err == nil {
			group, err = m.makeGroup(first)
		}
		var guest *sysctx.Guest
		if err == nil {
			restricted := m.restrictDevices(group)
			guest, err = sysctx.Launch(&m.plan.Context, group, hooked.options(sysctx.Options{
				BeforeExec: func(g *sysctx.Guest) error {
					if err := restricted(); err != nil {
						return err
					}
					scope.leader(g.Pid)
					return m.storeGuest(g, group)
				},
				ServeViews: func(dev, pid int) {
					m.loop.Post(func() {
						m.beginFigures(group, pid, false)
						m.serveViews(dev, false)
					})
				},
				SharedNet: m.sharedNet,
				Memory:    m.plan.memory(),
				Warn:      m.warnLater,
				Failpoint: failpoint,
			}))
			restricted()
		}
		scope.release()
		return func() {
			m.awaitScope(scope)
			m.group = group
			if err == nil {
				m.live(guest)
			}
			m.emit(Launched{err})
		}
	}
}

// memory is the most that the guest may use, in bytes; 0: there is no limit.
func (p *Plan) memory() int64 {
	if p.Limits.Memory == nil {
		return 0
	}
	return *p.Limits.Memory
}

// makeGroup is in a job's goroutine.
func (m *monitor) makeGroup(first bool) (limits.Group, error) {
	if err := failpoint("make groups"); err != nil {
		return nil, err
	}
	p := m.plan
	if err := m.clearRoot(first); err != nil {
		return nil, &sysctx.StepError{Step: "unmount rootfs", Err: err}
	}
	group, err := m.backend.Make(p.Base, p.groupName(), p.Limits, p.Context.IDs.Base, m.warnLater)
	if err != nil {
		return nil, &sysctx.StepError{Step: "make control groups", Err: err}
	}
	return group, nil
}

// restrictDevices attaches the device program while the guest's context is made. The
// result waits for it; the guest's init isn't executed before.
func (m *monitor) restrictDevices(group limits.Group) (wait func() error) {
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		if err = failpoint("restrict devices"); err == nil {
			err = devices.Attach(group.GuestFD(), m.plan.Context.DeviceRules())
		}
		if err != nil && !m.plan.Context.IDs.Host() {
			// The user namespace keeps a guest from devices too: a kernel without this
			// program still runs it.
			m.warnLater(err.Error())
			err = nil
		}
	}()
	return func() error {
		<-done
		if err != nil {
			return &sysctx.StepError{Step: "restrict devices", Err: fmt.Errorf("a privileged guest isn't started without: %w", err)}
		}
		return nil
	}
}

// warnLater is for jobs' goroutines.
func (m *monitor) warnLater(text string) { m.loop.Post(func() { m.warn(text) }) }

// clearRoot is in a job's goroutine. It takes off rootfs/ what was there before
// the life's first boot. A running root that somebody on the host sits in stays:
// the launch uses it again, as it does with the root of the boot before.
func (m *monitor) clearRoot(first bool) error {
	if !first {
		return nil
	}
	root := m.plan.Context.Root
	err := store.Unmount(root)
	var busy *store.BusyError
	if !errors.As(err, &busy) {
		return err
	}
	fd, ok, reuseErr := store.Reuse(root, m.plan.Context.IDs.Base)
	if !ok {
		return errors.Join(err, reuseErr)
	}
	return unix.Close(fd)
}

// storeGuest is in the launch's goroutine. It waits until the guest's
// descriptors are kept and the core has decided.
func (m *monitor) storeGuest(g *sysctx.Guest, group limits.Group) error {
	proceed := make(chan error, 1)
	var all namespaces
	if m.plan.Context.Hooks.Has(hooks.Stop) {
		all = openNamespaces(g.Pid)
	}
	m.loop.Post(func() {
		m.keepNamespaces(all)
		m.keep(fdInit, g.PidFD)
		m.keep(fdNotify, g.Notify)
		m.keep(screenName(0), g.Console)
		for i, fd := range g.TTYs {
			m.keep(screenName(i+1), fd)
		}
		if m.figures.group == nil {
			m.beginFigures(group, g.Pid, false)
		}
		if m.views.dev >= 0 {
			m.keep(fdViews, m.views.dev)
		}
		if g.Listener >= 0 {
			m.keep(fdCalls, g.Listener)
		} else {
			m.warn("if its monitor dies, it isn't known whether the guest reboots or powers off: the kernel gives no listener for its system calls")
		}
		m.barrier()
		m.proceed = proceed
		m.emit(Stored{Pid: g.Pid, OOMKills: oomKills(group), Shown: m.screens[0].boot, Heard: g.Listener >= 0})
	})
	return <-proceed
}

// live begins to look after a guest whose init runs.
func (m *monitor) live(g *sysctx.Guest) {
	m.pidfd = g.PidFD
	m.listenToInit(g.Notify)
	m.listenToCalls(g.Listener)
	m.setMaster(m.screens[0], g.Console)
	for i, fd := range g.TTYs {
		if i+1 < len(m.screens) {
			m.setMaster(m.screens[i+1], fd)
		}
	}
	m.watchInit(g.Pid)
	m.watchAlarm()
	m.renewLater()
}

// cleanup removes what a boot has made, when nothing uses it any more.
func (m *monitor) cleanup() {
	m.dropGuest()
	m.dropAlarm()
	if m.zombie != 0 {
		reap(m.zombie) // now that its end is written down
		m.zombie = 0
	}
	m.idle(func() {
		if len(m.namespaces) == 0 {
			m.removeJob()
			return
		}
		stop := m.endHooks(hooks.Stop)
		m.job(func() func() {
			stop()
			return func() {
				m.dropNamespaces() // before anything is unmounted: one of them keeps mounts
				m.removeJob()
			}
		})
	})
}

// removeJob ends a cleanup.
func (m *monitor) removeJob() {
	postStop := func() {}
	if !m.core.Life.Final { // else when the root is a stopped guest's again
		postStop = m.endHooks(hooks.PostStop)
	}
	m.job(func() func() {
		wait := m.removeNetwork()
		err := m.removeBoot(m.group)
		wait()
		postStop()
		return func() {
			m.group = nil
			m.emit(Cleaned{err})
		}
	})
}

// dropGuest lets go of the descriptors of a boot. The last output is taken.
func (m *monitor) dropGuest() {
	for _, s := range m.screens {
		m.setMaster(s, -1)
		m.drop(s.name)
	}
	m.dropViews()
	m.dropCalls()
	m.endFigures()
	for name, fd := range map[string]*int{fdInit: &m.pidfd, fdNotify: &m.notify} {
		m.drop(name)
		if *fd >= 0 {
			m.loop.Remove(*fd)
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// removeNetwork is in a job's goroutine, beside removeBoot: to take links away takes long,
// because the kernel waits until nobody looks at them any more.
func (m *monitor) removeNetwork() (wait func()) {
	net, done := m.plan.Context.Net, make(chan struct{})
	if net.Program == "" {
		return func() {}
	}
	go func() {
		defer close(done)
		if err := sysctx.NetworkDown(&net); err != nil {
			m.warnLater(err.Error())
		}
	}()
	return func() { <-done }
}

// removeBoot is in a job's goroutine. The group of a launch that failed, or of
// a monitor that was killed, is found by its name. The root stays where it is
// shown until the life ends: with somebody in it, no other could be made.
func (m *monitor) removeBoot(group limits.Group) error {
	if group == nil {
		var err error
		if group, err = m.openGroup(); err != nil {
			return err
		}
	}
	var errs []error
	if group != nil {
		// Those that are left entered from outside, and die with the kill.
		errs = append(errs, group.Kill(), group.Close())
	}
	errs = append(errs, m.backend.Remove(m.plan.Base, m.plan.groupName()))
	return errors.Join(errs...)
}

// openGroup opens the guest's group; nil if it has none.
func (m *monitor) openGroup() (limits.Group, error) {
	group, err := m.backend.Open(m.plan.Base, m.plan.groupName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return group, err
}

// finish shows the root again as a stopped guest's is.
func (m *monitor) finish() {
	m.idle(func() {
		postStop := func() {}
		if m.core.Life.Final {
			postStop = m.endHooks(hooks.PostStop)
		}
		m.job(func() func() {
			err := store.Unmount(m.plan.Context.Root)
			if err == nil {
				err = store.MountPlain(m.plan.Context.Root)
			}
			postStop()
			return func() {
				if err != nil {
					m.log.say(err.Error())
				}
				m.emit(Finished{})
			}
		})
	})
}

// letGo says that the monitor is done, so that one that dies from here on has no
// successor, and takes everything back from the service manager. It touches nothing by the
// guest's name afterwards: a second call does nothing.
func (m *monitor) letGo() {
	if m.gone {
		return
	}
	m.gone = true
	if err := unix.Unlinkat(m.dir, control.SocketName, 0); err != nil && err != unix.ENOENT {
		m.log.say(fmt.Sprintf("cannot remove the control socket: %v", err))
	}
	if err := unix.Unlinkat(m.dir, lockName, 0); err != nil && err != unix.ENOENT {
		m.log.say(fmt.Sprintf("cannot remove the monitor's lock: %v", err))
	}
	m.notifyManager("STOPPING", "1")
	// What says that the life is over stays until the exit: systemd starts a monitor again
	// that is killed from here on, and one without it would boot the guest.
	for i := len(m.kept) - 1; i >= 0; i-- {
		if name := m.kept[i].Name; name != fdShared && name != fdPlan {
			m.drop(name)
		}
	}
	m.unlockDir()
}

// oomKills is how many of the guest's processes the kernel killed for lack of
// memory.
func oomKills(g limits.Group) int64 {
	stats, err := g.Stats()
	if err != nil || stats.Memory == nil {
		return 0
	}
	return stats.Memory.OOMKills
}
