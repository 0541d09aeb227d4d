package figures

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views"
)

// tasks counts the guest's tasks by their state. Which task runs is nowhere to
// be read for a whole group of version 2: its tasks are looked at one by one. For a
// group of version 1 the kernel counts (CGROUPSTATS_CMD_GET).
type tasks struct {
	current file // pids.current
	proc    int  // /proc
	top     int  // the v2 group
	stats   *groupStats
	count   views.Tasks
	at      time.Duration // the guest's uptime when they were counted; 0: never
	cost    time.Duration // what that took
	seen    uint64        // the task whose number in the guest is known: LastPID
}

const (
	// countAge is how old a count may be that a reader gets.
	countAge = 500 * time.Millisecond
	// countShare bounds what counting costs: it takes a hundredth of the time at most.
	countShare = 100
)

func (t *tasks) close() {
	t.current.close()
	for _, fd := range []int{t.proc, t.top} {
		if fd > 0 {
			unix.Close(fd)
		}
	}
	if t.stats != nil {
		t.stats.close()
	}
}

func (s *Source) openTasks() (err error) {
	t := &s.tasks
	dir, _ := s.config.Groups.Of("pids")
	if t.current, err = openFile(dir, "pids.current"); err != nil {
		return err
	}
	if t.proc, err = unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	if t.top, err = unix.Openat(s.config.Groups.V2, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	for _, controller := range []string{"pids", "cpu", "memory", "cpuacct"} {
		if dir, v1 := s.config.Groups.Of(controller); v1 && t.stats == nil {
			t.stats = openGroupStats(dir) // nil if the kernel doesn't count
		}
	}
	return nil
}

// readTasks counts anew if the last count is old.
func (s *Source) readTasks() {
	t := &s.tasks
	if age := s.shot.Uptime - t.at; t.at == 0 || age < 0 || age >= max(countAge, countShare*t.cost) {
		s.countTasks(s.shot.Uptime)
	}
	s.shot.Tasks = t.count
	s.shot.Tasks.LastPID = s.state.LastPID
}

func (s *Source) countTasks(uptime time.Duration) {
	t := &s.tasks
	start := Now()
	c, counted := views.Tasks{}, false
	if t.stats != nil {
		c, counted = t.stats.read()
	}
	w := walk{source: s}
	w.group(t.top, 0)
	if !counted {
		c = w.states()
	}
	c.Total = uint64(len(w.tids))
	if n := number(s.reader.read(t.current)); n > 0 && n < views.None {
		c.Total = n
	}
	c.Running, c.Blocked = min(c.Running, c.Total), min(c.Blocked, c.Total-min(c.Running, c.Total))
	if newest := w.newest; newest > 0 && newest != t.seen {
		t.seen = newest
		s.state.LastPID = max(s.state.LastPID, s.numberInGuest(newest))
	}
	s.reader.shrink()
	t.count, t.at, t.cost = c, max(1, uptime), Now()-start
}
