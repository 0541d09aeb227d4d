package monitor

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// effortShare is what a guest may make this process work, in hundredths of a CPU: less than
	// the quota of its unit (CPUQuota=50%), which would hold up consoles and verbs, too.
	effortShare = 40
	// effortBurst is what may be worked at once after a time of rest.
	effortBurst = time.Second
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
	left  time.Duration // of CPU time
	at    time.Duration // when that was, monotonic
	used  time.Duration // and what this process had worked
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
	if !e.known {
		e.known, e.left, e.at, e.used = true, effortBurst, mono, used
	}
	// A long rest must not overflow.
	earned := min(mono-e.at, time.Minute) * effortShare / 100
	e.left = max(min(e.left+earned, effortBurst)-(used-e.used), -effortDebt)
	e.at, e.used = mono, used
	return max(-e.left, 0) * 100 / effortShare
}
