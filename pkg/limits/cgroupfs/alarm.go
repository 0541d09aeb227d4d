package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// alarm implements limits.Alarm:
//
//	v2 memory.events       poll says that it has changed; so do reclaims at the limit
//	v1 memory.oom_control  says nothing; an eventfd does, at the beginning of an OOM kill
//	v2 pids.events         poll says that it has changed
//	v1 pids.events         says nothing on newer kernels: who listens has to look
type alarm struct {
	memory int  // of counts of kills; -1: no controller
	pids   int  // of counts of refused forks; -1: none
	silent bool // pids is of v1
	event  int  // eventfd; -1: memory can be polled
}

// Alarm implements limits.Group.
func (g *group) Alarm() (limits.Alarm, error) {
	a := &alarm{memory: -1, pids: -1, event: -1}
	if err := errors.Join(g.alarmMemory(a), g.alarmPids(a)); err != nil {
		a.Close()
		return nil, fmt.Errorf("cannot watch %q for kills: %w", g.name, err)
	}
	return a, nil
}

func (g *group) alarmMemory(a *alarm) (err error) {
	d := g.holder("memory")
	if d == nil {
		a.memory, err = optionalFile(g.guest, "memory.events")
		return err
	}
	if a.memory, err = d.file("memory.oom_control", unix.O_RDONLY); err != nil {
		return err
	}
	if a.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	// The kernel forgets it with the last descriptor of the eventfd, or with the group
	// (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control").
	return d.write("cgroup.event_control", fmt.Sprintf("%d %d", a.event, a.memory))
}

func (g *group) alarmPids(a *alarm) (err error) {
	d := g.holder("pids")
	if d == nil {
		d = g.guest
	} else {
		a.silent = true
	}
	a.pids, err = optionalFile(d, "pids.events")
	return err
}

// optionalFile opens a file of a controller that may not be there; -1: it isn't.
func optionalFile(d *dir, name string) (int, error) {
	fd, err := d.file(name, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	return fd, err
}

// FDs implements limits.Alarm.
func (a *alarm) FDs() []limits.AlarmFD {
	var all []limits.AlarmFD
	if a.event >= 0 {
		all = append(all, limits.AlarmFD{FD: a.event, Events: unix.EPOLLIN})
	} else if a.memory >= 0 {
		all = append(all, limits.AlarmFD{FD: a.memory, Events: unix.EPOLLPRI})
	}
	if a.pids >= 0 {
		all = append(all, limits.AlarmFD{FD: a.pids, Events: unix.EPOLLPRI})
	}
	return all
}

// Counts implements limits.Alarm.
func (a *alarm) Counts() (c limits.Counts, err error) {
	if a.event >= 0 {
		var n [8]byte
		unix.Read(a.event, n[:]) // EAGAIN: nothing was told
	}
	var kerr, rerr error
	c.OOMKills, kerr = count(a.memory, limits.KillCount)
	c.Refused, rerr = count(a.pids, limits.RefusedCount)
	if err := errors.Join(kerr, rerr); err != nil {
		return limits.Counts{}, fmt.Errorf("cannot read counts of kills: %w", err)
	}
	return c, nil
}

// Unheard implements limits.Alarm.
func (a *alarm) Unheard() (refused int64, ok bool) {
	if !a.silent || a.pids < 0 {
		return 0, false
	}
	refused, err := count(a.pids, limits.RefusedCount)
	return refused, err == nil
}

func count(fd int, parse func(string) (int64, error)) (int64, error) {
	if fd < 0 {
		return 0, nil
	}
	text, err := readEvents(fd)
	if err != nil {
		return 0, err
	}
	return parse(text)
}

// Close implements limits.Alarm.
func (a *alarm) Close() error {
	for _, fd := range []*int{&a.memory, &a.pids, &a.event} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	return nil
}
