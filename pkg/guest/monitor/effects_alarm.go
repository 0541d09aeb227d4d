package monitor

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

const (
	// alarmGather is how long after an alarm the counters are read: kills come in crowds,
	// and some kernels tell of one before they count it.
	alarmGather = 50 * time.Millisecond
	// alarmPause is how long no alarm is heard after one: a guest can raise as many as it
	// likes, each of which would wake its monitor.
	alarmPause = time.Second
)

// alarm is what tells of kills and refused forks in the running guest.
//
//	listening ── an alarm ──▶ gathering ── 50 ms, counters read ──▶ deaf
//	    ▲                                                            │
//	    └───────── 1 s, counters read, as long as they grow ─────────┘
//
// So what is told of is told once a second at most.
type alarm struct {
	src  limits.Alarm  // nil: there is none
	at   time.Duration // of the next look at the counters, monotonic; 0: an alarm is waited for
	deaf bool          // alarms are heard again after that look, if it finds nothing new
	last limits.Counts // what the last look found
	most limits.Counts // the highest that was read

	askAt time.Duration // not to ask before for what nobody tells of, see askUnheard
}

// watchAlarm begins to listen. A guest of which nobody can tell this is kept all the same.
func (m *monitor) watchAlarm() {
	if m.alarm.src != nil || m.group == nil {
		return
	}
	src, err := m.group.Alarm()
	if err != nil {
		m.log.say(err.Error())
		return
	}
	m.alarm.src = src
	m.alarm.at, m.alarm.deaf = now().Mono+alarmGather, true // what was before it is counted
}

// listenToAlarm waits for the next alarm.
func (m *monitor) listenToAlarm() {
	for _, fd := range m.alarm.src.FDs() {
		if err := m.loop.Add(fd.FD, fd.Events, func(uint32) { m.alarmed(now().Mono) }); err != nil {
			m.log.say(err.Error())
		}
	}
}

func (m *monitor) alarmed(mono time.Duration) {
	m.readAlarm() // before the group is gone: systemd removes a scope as soon as its init was killed
	m.deafen()
	m.alarm.at, m.alarm.deaf = mono+alarmGather, false
}

// readAlarm reads the counters, for the case that they can't be read later.
func (m *monitor) readAlarm() (limits.Counts, error) {
	if m.alarm.src == nil {
		return limits.Counts{}, nil
	}
	c, err := m.alarm.src.Counts()
	if most := &m.alarm.most; err == nil {
		most.OOMKills, most.Refused = max(most.OOMKills, c.OOMKills), max(most.Refused, c.Refused)
	}
	return c, err
}

func (m *monitor) deafen() {
	for _, fd := range m.alarm.src.FDs() {
		m.loop.Remove(fd.FD)
	}
}

// alarmIfDue looks at the counters if it is time.
func (m *monitor) alarmIfDue(mono time.Duration) {
	a := &m.alarm
	if a.at == 0 || mono < a.at {
		return
	}
	counts, err := m.readAlarm()
	if err != nil {
		if !errors.Is(err, unix.ENODEV) { // the guest has just ended
			m.log.say(err.Error())
		}
		m.deafen()
		a.at = 0
		return
	}
	m.emit(Counted{counts})
	grown := counts != a.last
	a.last = counts
	if a.deaf && !grown {
		a.at = 0
		m.listenToAlarm()
		return
	}
	a.at, a.deaf = mono+alarmPause, true
}

// askUnheard looks for refused forks where the kernel doesn't tell of them: whenever the
// monitor is awake, for a sign of life at the latest, and once a second at most. It wakes
// nobody of itself.
func (m *monitor) askUnheard(mono time.Duration) {
	a := &m.alarm
	if a.src == nil || a.at != 0 || mono < a.askAt {
		return
	}
	a.askAt = mono + alarmPause
	if refused, ok := a.src.Unheard(); ok && refused > a.last.Refused {
		m.alarmed(mono)
	}
}

// dropAlarm ends it, before its groups are removed.
func (m *monitor) dropAlarm() {
	if m.alarm.src == nil {
		return
	}
	m.deafen()
	m.alarm.src.Close()
	m.alarm = alarm{}
}

// refused is how many forks of the guest its limit of processes has refused.
func refused(g limits.Group) int64 {
	a, err := g.Alarm()
	if err != nil {
		return 0
	}
	defer a.Close()
	counts, err := a.Counts()
	if err != nil {
		return 0
	}
	return counts.Refused
}
