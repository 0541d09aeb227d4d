package monitor

import (
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/limits"
)

// toll counts one kill each time it is looked at, up to some.
type toll struct{ kills, most int64 }

func (a *toll) FDs() []limits.AlarmFD { return nil }
func (a *toll) Close() error          { return nil }

func (a *toll) Unheard() (int64, bool) { return 0, false }

func (a *toll) Counts() (limits.Counts, error) {
	a.kills = min(a.kills+1, a.most)
	return limits.Counts{OOMKills: a.kills}, nil
}

// TestAlarmsAreBounded: a guest that is killed from all the time is looked at once a
// second, and is heard again once it has been quiet for one.
func TestAlarmsAreBounded(t *testing.T) {
	src := &toll{most: 10}
	m := &monitor{alarm: alarm{src: src}}
	looks, told := 0, int64(0)
	var last time.Duration
	for mono := time.Hour; mono < time.Hour+20*time.Second; mono += 10 * time.Millisecond {
		if m.alarm.at == 0 && src.kills < src.most {
			m.alarmed(mono) // at once, as of a guest that raises them without a pause
		}
		m.alarmIfDue(mono)
		for ; len(m.queue) > 0; m.queue = m.queue[1:] {
			looks++
			c := m.queue[0].(Counted)
			if c.OOMKills > told && last > 0 && mono-last < alarmPause {
				t.Errorf("told of again after %v", mono-last)
			}
			if c.OOMKills > told {
				told, last = c.OOMKills, mono
			}
		}
	}
	if told != src.most || looks > 12 || m.alarm.at != 0 {
		t.Errorf("told of %d in %d looks, next at %v", told, looks, m.alarm.at)
	}
}

// mute counts refused forks that nobody tells of.
type mute struct {
	refused, looks int64
}

func (a *mute) FDs() []limits.AlarmFD { return nil }
func (a *mute) Close() error          { return nil }

func (a *mute) Counts() (limits.Counts, error) { return limits.Counts{Refused: a.refused}, nil }

func (a *mute) Unheard() (int64, bool) {
	a.looks++
	return a.refused, true
}

// TestUnheardIsLookedFor: where the kernel doesn't tell of refused forks, a monitor that is
// awake looks, once a second at most, tells of what it finds, and never wakes for it.
func TestUnheardIsLookedFor(t *testing.T) {
	src := &mute{}
	m := &monitor{alarm: alarm{src: src}}
	for mono := time.Hour; mono < time.Hour+10*time.Second; mono += 10 * time.Millisecond {
		m.alarmIfDue(mono)
		m.askUnheard(mono)
	}
	if len(m.queue) > 0 || m.alarm.at != 0 || src.looks > 11 {
		t.Fatalf("nothing happened: %d events, %d looks, next at %v", len(m.queue), src.looks, m.alarm.at)
	}
	src.refused = 7
	mono := time.Hour + time.Minute
	m.askUnheard(mono)
	m.alarmIfDue(mono + alarmGather)
	if len(m.queue) != 1 || m.queue[0].(Counted).Refused != 7 {
		t.Errorf("seven forks were refused: %+v", m.queue)
	}
}
