package holder

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// maxKept is how many descriptors one monitor may leave, as systemd's
// FileDescriptorStoreMax is set for it.
const maxKept = 256

// Backoff of restarts: a monitor that died within quickDeath of its start
// more than freeDeaths times in a row waits, at most maxDelay, so that a guest
// isn't without a monitor for long.
const (
	quickDeath = time.Second
	freeDeaths = 3
	minDelay   = 100 * time.Millisecond
	maxDelay   = time.Second
)

// monitor is what the holder knows of one guest's monitor.
type monitor struct {
	name    string
	helper  string
	pid     int
	pidfd   int // -1: it is dead
	kept    []fdstore.Stored
	done    bool // it said that it ends, and means it
	started time.Time
	quick   int       // deaths in a row soon after the start
	again   time.Time // when to start it again; zero: it runs

	alive time.Time // when it gave a sign of life last; zero: it isn't expected to
	hung  bool      // it was killed because it gave none
	death string    // how the one before it died; "": there was none, or it is unknown

	reaped bool // status is known
	status unix.WaitStatus
	next   *waiting // a start that came while this one was ending
}

// waiting is a start that waits for the end of the monitor before it.
type waiting struct {
	peer         *control.Peer
	helper       string
	plan, report int
}

// keep takes a descriptor over. One of the same name is replaced.
func (m *monitor) keep(name string, fd int) bool {
	m.drop(name)
	if len(m.kept) == maxKept {
		unix.Close(fd)
		return false
	}
	m.kept = append(m.kept, fdstore.Stored{Name: name, FD: fd})
	return true
}

// drop closes the descriptor of a name.
func (m *monitor) drop(name string) {
	m.kept = slices.DeleteFunc(m.kept, func(s fdstore.Stored) bool {
		if s.Name == name {
			unix.Close(s.FD)
		}
		return s.Name == name
	})
}

func (m *monitor) dropAll() {
	for _, s := range m.kept {
		unix.Close(s.FD)
	}
	m.kept = nil
}

// finished says whether a dead monitor's work was done: it announced its end,
// or exited with 0. One that was killed in the middle of its end, or crashed,
// is to be started again.
func (m *monitor) finished() bool {
	return m.done || m.reaped && m.status.Exited() && m.status.ExitStatus() == 0
}

// delay counts a death at now, and says how long to wait before the next start.
func (m *monitor) delay(now time.Time) time.Duration {
	if now.Sub(m.started) >= quickDeath {
		m.quick = 0
		return 0
	}
	m.quick++
	if m.quick <= freeDeaths {
		return 0
	}
	return min(minDelay<<min(m.quick-freeDeaths-1, 16), maxDelay)
}
