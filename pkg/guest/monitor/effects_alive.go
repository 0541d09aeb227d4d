package monitor

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// aliveAfter is when the next sign of life is due after a time: twice within the
// watchdog's, and at the same moments in all monitors of a host, so that their manager
// wakes up once for all of them.
func aliveAfter(mono, watchdog time.Duration) time.Duration {
	if watchdog <= 0 {
		return 0
	}
	period := max(watchdog/2, time.Millisecond)
	return (mono/period + 1) * period
}

// beginAlive gives the first sign of life at once: from then on others are expected.
func (m *monitor) beginAlive() {
	m.aliveAt = 0
	if m.manager.Watchdog > 0 {
		m.aliveAt = 1
	}
}

// signLife tells the service manager that this loop turns, if that is due.
func (m *monitor) signLife(mono time.Duration) {
	if m.aliveAt == 0 || mono < m.aliveAt {
		return
	}
	m.aliveAt = aliveAfter(mono, m.manager.Watchdog)
	if m.store != nil {
		m.store.TryNotify("WATCHDOG", "1")
	}
}

// DeathWords begin what a monitor logs of the one before it.
const DeathWords = "the monitor before this one died"

// tellDeath logs how the monitor before this one died: as the service manager says, and
// where it crashed, what the runtime has written into the log. It gives the latter, or else
// the former.
func (m *monitor) tellDeath(crash string) (how string) {
	how = m.manager.Death
	text := DeathWords
	if how != "" {
		text += ", " + how
	}
	m.manager.Death = ""
	if crash != "" {
		text += ": " + crash
		how = crash
	}
	m.log.say(text)
	return how
}

// crashTail bounds what is looked at of a log for a crash, in bytes: a trace of all
// threads is shorter.
const crashTail = 64 << 10

// lastCrash is the first line of what is at the end of a log without a time: a crash's
// trace, which the runtime writes. "": there is none.
func lastCrash(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return ""
	}
	data := make([]byte, min(st.Size(), crashTail))
	n, _ := f.ReadAt(data, st.Size()-int64(len(data)))
	return crashIn(string(data[:n]))
}

func crashIn(text string) string {
	first := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		stamp, _, _ := strings.Cut(line, " ")
		if _, err := time.Parse(time.RFC3339, stamp); err == nil {
			first = ""
		} else if first == "" {
			first = line
		}
	}
	return first
}
