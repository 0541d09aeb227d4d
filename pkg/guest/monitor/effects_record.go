package monitor

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/state"
)

// Bounds of what is kept of a console in the record of a boot: lines, and bytes
// of each.
const (
	recordLines = 20
	recordWidth = 300
)

// record notes how this boot went wrong.
func (m *monitor) record(a Record) {
	l := &m.core.Life
	b := state.Boot{BootID: m.plan.BootID, Number: max(l.Boots, 1), BeganAt: l.BeganAt, EndedAt: l.Exit.At,
		Ready: a.Ready, Status: l.Status, OOMKills: a.OOMKills}
	if a.Err == nil {
		b.Exit = l.Exit
	} else {
		f := newFailure(a.Err)
		b.Number = l.Boots + 1
		b.Failure = &state.Failure{Step: f.Step, Call: f.Call, Path: f.Path, Errno: f.Errno, Message: f.Message}
	}
	for _, line := range m.consoleTail(recordLines) {
		b.Console = append(b.Console, strings.ToValidUTF8(line[:min(len(line), recordWidth)], ""))
	}
	if err := m.inLogDir(func(dir int) error { return state.WriteBoot(dir, m.plan.Name, &b) }); err != nil {
		m.log.say(err.Error())
	}
}

// forget removes the record of an earlier boot.
func (m *monitor) forget() {
	err := m.inLogDir(func(dir int) error { return state.RemoveBoot(dir, m.plan.Name) })
	if err != nil {
		m.log.say(err.Error())
	}
}

func (m *monitor) inLogDir(do func(dir int) error) error {
	dir, err := unix.Open(m.plan.LogDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open log directory: %w", err)
	}
	defer unix.Close(dir)
	return do(dir)
}
