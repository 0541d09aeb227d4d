package monitor

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views"
	"github.com/sysct/sysct/pkg/views/figures"
)

// figuresRun is where the figures of a boot come from that the guest sees. Nothing is opened
// before somebody asks. Those who serve the guest's views and its calls ask, in goroutines
// of their own.
type figuresRun struct {
	mu     sync.Mutex
	source *figures.Source // nil: nobody has asked
	group  limits.Group    // of the boot; nil: it isn't known
	pid    int             // of its init
	said   bool            // that they can't be had

	// What a successor has to know so that no counter goes backwards, as it is kept in
	// shared memory.
	state []byte
	seq   uint64
	slots slots         // the same memory, with a scratch of its own
	known figures.State // scratch
	text  bytes.Buffer  // scratch
}

// beginFigures is for a boot that begins, or goes on after another monitor.
func (m *monitor) beginFigures(group limits.Group, pid int, adopted bool) {
	m.endFigures()
	f := &m.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	f.group, f.pid, f.said = group, pid, false
	f.slots.fd = m.slots.fd
	f.seq, f.state = newest(m.slots.fd, figuresAt, figureSize)
	if !adopted && f.state != nil {
		m.keepFigures([]byte("null")) // they were another boot's
	}
}

// endFigures closes what was opened.
func (m *monitor) endFigures() {
	m.figures.mu.Lock()
	defer m.figures.mu.Unlock()
	if m.figures.source != nil {
		m.figures.source.Close()
	}
	m.figures.source, m.figures.group = nil, nil
}

// withFigures has the guest's figures used, which are good for that long. Without a source,
// which is said once, it isn't called, and the result is false.
func (m *monitor) withFigures(need views.Need, use func(*views.Snapshot)) bool {
	m.figures.mu.Lock()
	defer m.figures.mu.Unlock()
	s := m.snapshot(need)
	if s == nil {
		return false
	}
	use(s)
	return true
}

// snapshot is the guest's figures now; nil: they can't be had.
func (m *monitor) snapshot(need views.Need) *views.Snapshot {
	f := &m.figures
	if f.source == nil && !m.openFigures() {
		return nil
	}
	shot := f.source.Snapshot(need, figures.Now())
	if need&(views.NeedTimes|views.NeedTasks|views.NeedLoad) != 0 {
		m.keepState()
	}
	return shot
}

// figuresIn is when figures want to be looked at next, because somebody reads the load
// averages: in what time; false: not at all.
func (m *monitor) figuresIn() (left time.Duration, ok bool) {
	m.figures.mu.Lock()
	defer m.figures.mu.Unlock()
	if m.figures.source == nil {
		return 0, false
	}
	at, ok := m.figures.source.NextTick()
	return at - figures.Now(), ok
}

// tickFigures looks at them if it is time.
func (m *monitor) tickFigures() {
	if left, ok := m.figuresIn(); !ok || left > 0 {
		return
	}
	m.figures.mu.Lock()
	defer m.figures.mu.Unlock()
	m.figures.source.Tick(figures.Now())
	m.keepState()
}

// keepState has a successor find what the source knows, if that has changed.
func (m *monitor) keepState() {
	f := &m.figures
	f.known = f.source.State()
	f.text.Reset()
	// Nothing is allocated: a guest that reads on and on would have the heap grow.
	if err := json.NewEncoder(&f.text).Encode(&f.known); err == nil && !bytes.Equal(f.text.Bytes(), f.state) {
		m.keepFigures(f.text.Bytes())
	}
}

// keepFigures has a successor find the state.
func (m *monitor) keepFigures(state []byte) {
	f := &m.figures
	f.seq++
	f.state = append(f.state[:0], state...)
	if err := f.slots.write(figuresAt, figureSize, f.seq, state); err != nil {
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
		m.loop.Post(func() { m.log.say("the guest's views are wrong: " + err.Error()) })
	}
	m.figures.said = true
}
