package monitor

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views"
	"github.com/sysct/sysct/pkg/views/figures"
)

// figuresRun is where the figures of a boot come from that the guest sees. Nothing is opened
// before somebody asks.
type figuresRun struct {
	source *figures.Source // nil: nobody has asked
	group  limits.Group    // of the boot; nil: it isn't known
	pid    int             // of its init
	said   bool            // that they can't be had

	// What a successor has to know so that no counter goes backwards, as it is kept in
	// shared memory.
	state []byte
	seq   uint64
}

// beginFigures is for a boot that begins, or goes on after another monitor.
func (m *monitor) beginFigures(group limits.Group, pid int, adopted bool) {
	m.endFigures()
	f := &m.figures
	f.group, f.pid, f.said = group, pid, false
	f.seq, f.state = newest(m.slots.fd, figuresAt, figureSize)
	if !adopted && f.state != nil {
		m.keepFigures([]byte("null")) // they were another boot's
	}
}

// endFigures closes what was opened.
func (m *monitor) endFigures() {
	if m.figures.source != nil {
		m.figures.source.Close()
	}
	m.figures.source, m.figures.group = nil, nil
}

// snapshot is the guest's figures now. It holds until the next call. Without a source,
// which is said once, all are zero.
func (m *monitor) snapshot(need views.Need) *views.Snapshot {
	f := &m.figures
	if f.source == nil && !m.openFigures() {
		return &views.Snapshot{}
	}
	shot := f.source.Snapshot(need, figures.Now())
	if need&(views.NeedTimes|views.NeedLoad) != 0 {
		if state, err := json.Marshal(f.source.State()); err == nil && !bytes.Equal(state, f.state) {
			m.keepFigures(state)
		}
	}
	return shot
}

// keepFigures has a successor find the state.
func (m *monitor) keepFigures(state []byte) {
	f := &m.figures
	f.seq++
	f.state = state
	if err := m.slots.write(figuresAt, figureSize, f.seq, state); err != nil {
		m.sayOfFigures(err)
	}
}

func (m *monitor) openFigures() bool {
	f := &m.figures
	if f.group == nil {
		return false
	}
	offsets, err := os.ReadFile("/proc/" + strconv.Itoa(f.pid) + "/timens_offsets")
	if err != nil {
		m.sayOfFigures(err)
		return false
	}
	config := figures.Config{Groups: f.group.Dirs(), Offset: views.ParseTimeOffsets(offsets)}
	var state *figures.State
	if json.Unmarshal(f.state, &state) == nil {
		config.State = state
	}
	if f.source, err = figures.Open(config); err != nil {
		f.source = nil
		m.sayOfFigures(err)
		return false
	}
	return true
}

// sayOfFigures logs what is wrong once a boot: a guest may ask as often as it likes.
func (m *monitor) sayOfFigures(err error) {
	if !m.figures.said {
		m.log.say("the guest's views are wrong: " + err.Error())
	}
	m.figures.said = true
}
