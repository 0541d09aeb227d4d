package monitor

import (
	"cmp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

const (
	// effortMost is what a guest may make this process work, in hundredths of a CPU: less than
	// the quota of its unit (CPUQuota=50%), which would hold up consoles and verbs, too.
	effortMost = 40
	// effortLeast is what it may make it work whatever its quota, so that its views answer.
	effortLeast = 5
	// effortSaved is for how long a share is saved up: what may be worked at once after a rest.
	effortSaved = 2500 * time.Millisecond
	// effortDebt bounds what a rest is for: nobody waits for long because of other work.
	effortDebt = 20 * time.Millisecond
	// effortRounds is after how many rounds of answers it is looked at the clocks.
	effortRounds = 16
)

// effort bounds the CPU time of this process where it serves what a guest can ask without end.
// That goes on no account of the guest's, so it would be others' that it takes. The goroutines
// that serve ask in turn.
type effort struct {
	mu    sync.Mutex
	known bool
	share time.Duration // hundredths of a CPU; 0: nothing has bounded it, effortMost
	left  time.Duration // of CPU time
	at    time.Duration // when that was, monotonic
	used  time.Duration // and what this process had worked
}

// effortShare is what a guest with these limits may make this process work, in hundredths of a
// CPU: a guest with little of a CPU gets no more by asking.
func effortShare(l *limits.Limits) time.Duration {
	q := l.CPUQuota
	if q == nil || q.Quota <= 0 || q.Period <= 0 {
		return effortMost
	}
	return time.Duration(min(max(float64(q.Quota)/float64(q.Period)*100, effortLeast), effortMost))
}

// bound has the share be that of a guest with these limits from now on.
func (e *effort) bound(l *limits.Limits) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.share = effortShare(l)
}

// rest says how long not to serve.
func (e *effort) rest() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts) // can't fail for this clock
	return e.spend(now().Mono, time.Duration(ts.Nano()))
}

// spend is told both clocks.
func (e *effort) spend(mono, used time.Duration) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	share := cmp.Or(e.share, effortMost)
	burst := effortSaved * share / 100
	if !e.known {
		e.known, e.left, e.at, e.used = true, burst, mono, used
	}
	// A long rest must not overflow.
	earned := min(mono-e.at, time.Minute) * share / 100
	e.left = max(min(e.left+earned, burst)-(used-e.used), -effortDebt)
	e.at, e.used = mono, used
	return max(-e.left, 0) * 100 / share
}
