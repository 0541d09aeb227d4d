package guest

import (
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/state"
)

// logSlack is how long before and after a boot the monitor says what belongs to it,
// and logMost how many of its lines are shown.
const (
	logSlack = 2 * time.Second
	logMost  = 15
)

// bootLog gives what the monitor logged about a boot.
func (m *Manager) bootLog(name string, b *state.Boot) []string {
	data, err := readLog(m.monitorLog(name))
	if err != nil {
		m.opt.Warn(oneLine(err))
	}
	return linesOf(string(data), b.BeganAt, b.EndedAt.Add(logSlack))
}

// linesOf gives a log's last lines between two times. A line without a time, as the
// runtime's of a crash, belongs to the line before it.
func linesOf(text string, from, to time.Time) []string {
	var found []string
	within := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		stamp, _, _ := strings.Cut(line, " ")
		if at, err := time.Parse(time.RFC3339, stamp); err == nil {
			// The log has milliseconds only.
			within = !at.Before(from.Truncate(time.Millisecond)) && !at.After(to)
		}
		if within {
			found = append(found, line)
		}
	}
	return found[max(0, len(found)-logMost):]
}

// deaths gives what was logged of dead monitors since a time.
func (m *Manager) deaths(name string, from time.Time) []string {
	data, err := readLog(m.monitorLog(name))
	if err != nil {
		m.opt.Warn(oneLine(err))
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		stamp, text, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		at, err := time.Parse(time.RFC3339, stamp)
		if err == nil && !at.Before(from) && strings.HasPrefix(text, monitor.DeathWords) {
			found = append(found, stamp+" "+text)
		}
	}
	return found[max(0, len(found)-logMost):]
}
