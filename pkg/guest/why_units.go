package guest

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FailedUnit is a unit of a guest's systemd that failed. Every word is the guest's.
type FailedUnit struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Result      string   `json:"result"` // exit-code, signal, timeout, …
	Status      string   `json:"status"` // of its main process: 1, 226/NAMESPACE, …
	Log         []string `json:"log"`    // its last lines
}

// Bounds of what a guest is asked: the time and the bytes of one answer, and how
// many units are looked at.
const (
	askTime  = 5 * time.Second
	askBytes = 64 << 10
	askUnits = 5
	askLines = "4"
)

// askSystemd asks a running guest how its systemd is, and for the units that failed.
func (m *Manager) askSystemd(ctx context.Context, name string) (system string, units []FailedUnit) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	ask := func(args ...string) string {
		text, err := m.ask(ctx, name, args...)
		if err != nil && !errors.Is(err, ErrNoCommand) {
			m.opt.Warn("cannot ask the guest: " + oneLine(err))
		}
		return text
	}
	system = firstWord(ask("systemctl", "is-system-running"))
	if system == "" || system == "offline" || system == "unknown" {
		return "", nil
	}
	names := failedNames(ask("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager", "--full"))
	if len(names) == 0 {
		return system, nil
	}
	show := ask(append([]string{"systemctl", "show", "-p", "Id,Description,Result,ExecMainStatus", "--"}, names...)...)
	units = parseShow(show)
	for i := range units {
		text := ask("journalctl", "-b", "-q", "--no-pager", "-o", "cat", "-n", askLines, "-u", units[i].Name)
		units[i].Log = nonEmpty(text)
	}
	return system, units
}

// ask runs a command in the guest and gives the beginning of its output, whatever
// its exit status. It is killed when ctx ends.
func (m *Manager) ask(ctx context.Context, name string, args ...string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	answer := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(io.LimitReader(r, askBytes))
		answer <- string(data)
		r.Close() // who writes more is told that nobody reads it
	}()
	kill := make(chan os.Signal, 1)
	stop := context.AfterFunc(ctx, func() { kill <- unix.SIGKILL })
	defer stop()
	_, err = m.Exec(ctx, name, ExecOptions{Args: args, Stdout: w, Signals: kill})
	w.Close()
	// What it left behind may have the pipe open still.
	r.SetReadDeadline(time.Now().Add(lingering))
	text := <-answer
	if ctx.Err() != nil {
		return "", errors.New("it gave no answer in time")
	}
	return text, err
}

func firstWord(s string) string {
	if words := strings.Fields(s); len(words) > 0 {
		return words[0]
	}
	return ""
}

// failedNames reads the names of list-units' lines.
func failedNames(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		name := firstWord(line)
		if name == "●" || name == "*" {
			name = firstWord(strings.TrimLeft(strings.TrimSpace(line), "●* "))
		}
		if name != "" && len(names) < askUnits && !strings.HasPrefix(name, "-") {
			names = append(names, name)
		}
	}
	return names
}

// parseShow reads systemctl show's paragraphs, one for each unit.
func parseShow(text string) []FailedUnit {
	var units []FailedUnit
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		var u FailedUnit
		for line := range strings.Lines(paragraph) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "Id":
				u.Name = value
			case "Description":
				u.Description = value
			case "Result":
				u.Result = value
			case "ExecMainStatus":
				u.Status = value
			}
		}
		if u.Name != "" {
			units = append(units, u)
		}
	}
	return units
}

func nonEmpty(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
