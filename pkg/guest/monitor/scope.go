package monitor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
)

// scope is the process that had the host's service manager make the guest's group. The
// monitor links no D-Bus; this process does, for the moment of a boot:
//
//	monitor                         sysct __scope NAME
//	starts it             ────────▶ is put into a new scope, out of guest's way
//	reads a line          ◀──────── "ready"
//	makes the guest in it
//	"leader PID"          ────────▶ has the guest registered
//	closes its input      ────────▶ ends
//
// It is what keeps the scope alive until the guest is in it.
type scope struct {
	pid int
	in  *os.File
	out *os.File // all that it says
	say *bufio.Reader
}

// maxScopeWords bounds what is read of its complaints, in bytes.
const maxScopeWords = 4096

// openScope returns when the group is there. No command: no scope, nil.
func openScope(argv []string) (*scope, error) {
	if len(argv) == 0 {
		return nil, nil
	}
	s, err := startScope(argv)
	if err != nil {
		return nil, &sysctx.StepError{Step: "make scope", Err: err}
	}
	text := ""
	for {
		line, err := s.say.ReadString('\n')
		if line == "ready\n" {
			return s, nil
		}
		text += line // a warning, or why it can't
		if err != nil {
			break
		}
	}
	s.in.Close()
	text = strings.TrimSpace(text + s.rest())
	if text == "" {
		text = argv[0] + " ended without a word"
	}
	return nil, &sysctx.StepError{Step: "make scope", Err: errors.New(text)}
}

func startScope(argv []string) (*scope, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	s := &scope{in: in, out: out, say: bufio.NewReaderSize(io.LimitReader(out, maxScopeWords), 512)}
	s.pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir: "/", Env: syscall.Environ(), Files: []uintptr{theirIn.Fd(), theirOut.Fd(), theirOut.Fd()},
	})
	if err != nil {
		in.Close()
		out.Close()
		return nil, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	return s, nil
}

// leader tells of the guest's init.
func (s *scope) leader(pid int) {
	if s != nil {
		fmt.Fprintf(s.in, "leader %d\n", pid)
	}
}

// release lets the process end: the guest is in the scope, or won't be.
func (s *scope) release() {
	if s != nil {
		s.in.Close()
	}
}

// rest waits for the end of the process, and gives what it had to complain about.
func (s *scope) rest() string {
	text, _ := io.ReadAll(s.say)
	s.out.Close()
	for {
		if _, err := unix.Wait4(s.pid, nil, 0, nil); err != unix.EINTR {
			return string(text)
		}
	}
}

// awaitScope reaps it, and logs its complaints.
func (m *monitor) awaitScope(s *scope) {
	if s == nil {
		return
	}
	m.background(func() func() {
		text := s.rest()
		if b, ok := m.backend.(interface{ Leave(base, name string) error }); ok {
			if err := b.Leave(m.plan.Base, m.plan.groupName()); err != nil {
				text += err.Error() + "\n"
			}
		}
		return func() {
			for line := range strings.Lines(text) {
				m.log.say(strings.TrimSpace(line))
			}
		}
	})
}
