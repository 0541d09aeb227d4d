package figures

import (
	"time"

	"github.com/sysct/sysct/pkg/views"
)

// LoadState is the load average's part of a State.
type LoadState struct {
	Averages [3]uint64     `json:"averages"`
	At       time.Duration `json:"at"`   // the guest's uptime at the last tick
	Used     time.Duration `json:"used"` // the guest's CPU time then
	Read     time.Duration `json:"read"` // the guest's uptime when somebody last read it
}

const (
	loadTick = views.LoadTick * time.Second
	// loadIdle is how long the averages go on without a reader.
	loadIdle = 5 * time.Minute
)

// NextTick says when Tick is to be called, so that the load averages go on; not
// at all if nobody has read them for a while.
func (s *Source) NextTick() (at time.Duration, wanted bool) {
	l := &s.state.Load
	return l.At + loadTick - s.config.Offset, l.Read > 0 && l.At-l.Read < loadIdle
}

// Tick lets the load averages go on to now. It counts tasks if a tick is due.
func (s *Source) Tick(now time.Duration) {
	s.tickLoad(max(0, now+s.config.Offset))
}

func (s *Source) tickLoad(uptime time.Duration) {
	l := &s.state.Load
	ticks := int((uptime - l.At) / loadTick)
	if ticks <= 0 {
		return
	}
	s.readUse()
	used := s.times.use.User + s.times.use.System
	if ticks > 2 {
		// Nobody counted meanwhile. The CPU time that was used is that of so many
		// running tasks; those that waited are left out.
		l.Averages = views.AdvanceLoad(l.Averages, averageActive(used-l.Used, uptime-l.At), ticks-1)
		l.At, ticks = l.At+time.Duration(ticks-1)*loadTick, 1
	}
	s.countTasks(uptime)
	l.Averages = views.AdvanceLoad(l.Averages, views.LoadOf(s.tasks.count.Running+s.tasks.count.Blocked), ticks)
	l.At, l.Used = l.At+time.Duration(ticks)*loadTick, used
}

// averageActive is how many CPUs were in use, with the averages' fraction.
func averageActive(used, gone time.Duration) uint64 {
	if used <= 0 || gone <= 0 {
		return 0
	}
	return uint64(float64(views.LoadOf(1)) * (float64(used) / float64(gone)))
}

func (s *Source) readLoad() {
	s.state.Load.Read = max(1, s.shot.Uptime)
	s.tickLoad(s.shot.Uptime)
	s.shot.Load = s.state.Load.Averages
}
