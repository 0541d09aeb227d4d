package holder

import (
	"time"

	"golang.org/x/sys/unix"
)

// A monitor that was stopped, or hangs, keeps its console from being drained, and
// answers nobody; its guest may wait for it in a system call. So each gives a sign of
// life twice within the time of the watchdog, WATCHDOG=1 of sd_notify(3), as it does
// for systemd. One that doesn't is killed; its successor takes the guest over.

func (h *holder) watchdog() time.Duration {
	if h.conf.Watchdog > 0 {
		return h.conf.Watchdog
	}
	return DefaultWatchdog
}

// late is by how much the holder may have slept too long and yet judge others.
const late = time.Second

// endHung kills the monitors that have given no sign of life in time. slept and meant
// are how long the loop has waited and how long it wanted to at most: a holder that was
// stopped itself knows nothing of others. One that has never given a sign isn't
// expected to: monitors of before don't.
func (h *holder) endHung(now time.Time, slept, meant time.Duration) {
	for _, m := range h.monitors {
		if m.alive.IsZero() || now.Before(m.alive.Add(h.watchdog())) {
			continue
		}
		h.drainNotify() // it may have been said just now
		switch {
		case meant >= 0 && slept > meant+late:
			m.alive = now
		case !now.Before(m.alive.Add(h.watchdog())) && m.pidfd >= 0:
			m.alive, m.hung = time.Time{}, true
			h.log.printf("monitor %d of %s has given no sign of life for %v: it is killed", m.pid, m.name, h.watchdog())
			if err := unix.PidfdSendSignal(m.pidfd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
				h.log.printf("cannot kill it: %v", err)
			}
		}
	}
}
