package machine

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/vm/wire"
)

// session is a conversation with the agent over a port that nobody else uses meanwhile.
type session struct {
	id   string
	lock *os.File
	conn net.Conn
	in   *bufio.Reader
	boot string
}

// open finds a free port and waits for the agent's answer there.
func (m *Machine) open(ctx context.Context) (*session, error) {
	for {
		for i := range wire.Ports {
			lock, err := os.OpenFile(port(m.Dir, i)+".lock", os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
			if err != nil {
				return nil, err
			}
			if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				return m.greet(ctx, i, lock)
			}
			lock.Close()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("all ports of the machine are in use: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// again is how often a ping is repeated: the agent that it was sent to may have ended with the boot before.
const again = 2 * time.Second

func (m *Machine) greet(ctx context.Context, i int, lock *os.File) (*session, error) {
	s := &session{id: rand.Text(), lock: lock}
	var err error
	if s.conn, err = dialSoon(ctx, port(m.Dir, i)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.in = bufio.NewReader(s.conn)
	stop := context.AfterFunc(ctx, func() { s.conn.Close() }) // ends the read below, and a write to a machine that doesn't run
	defer stop()
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		for {
			s.conn.Write([]byte("\n")) // ends what an earlier client may have left half said
			s.send(wire.Request{Op: wire.Ping})
			select {
			case <-answered:
				return
			case <-ctx.Done():
				return
			case <-time.After(again):
			}
		}
	}()
	a, err := s.next()
	if err != nil {
		s.close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("the machine's agent doesn't answer: %w", err)
	}
	s.boot = a.Boot
	return s, nil
}

func (s *session) close() { s.conn.Close(); s.lock.Close() }

func (s *session) send(r wire.Request) error {
	r.ID = s.id
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.conn.Write(append(text, '\n'))
	return err
}

// next gives the next answer of this session.
func (s *session) next() (wire.Answer, error) {
	for {
		text, err := s.in.ReadBytes('\n')
		if err != nil {
			return wire.Answer{}, err
		}
		var a wire.Answer
		if json.Unmarshal(text, &a) == nil && a.ID == s.id {
			return a, nil
		}
	}
}

// Command is what is run in a machine.
type Command struct {
	Args   []string
	Env    []string // more of the environment
	Dir    string
	Stdin  io.Reader // nil for nothing
	Stdout io.Writer
	Stderr io.Writer
}

// ErrRebooted says that the machine booted, or went away, while a command ran in it.
var ErrRebooted = errors.New("the machine ended a command by a reboot")

// Run runs a command and gives its status. An error says that it couldn't be run, or what became of it isn't known.
func (m *Machine) Run(ctx context.Context, c Command) (status int, err error) {
	s, err := m.open(ctx)
	if err != nil {
		return -1, err
	}
	defer s.close()
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	if err := s.send(wire.Request{Op: wire.Run, Args: c.Args, Env: c.Env, Dir: c.Dir}); err != nil {
		return -1, err
	}
	go s.feed(c.Stdin)
	ended := make(chan struct{})
	defer close(ended)
	go s.watch(ended)
	status, err = s.collect(c)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return status, err
}

// feed hands over the command's standard input.
func (s *session) feed(in io.Reader) {
	if in != nil {
		buffer := make([]byte, 48<<10)
		for {
			n, err := in.Read(buffer)
			if n > 0 && s.send(wire.Request{Op: wire.Input, Data: buffer[:n]}) != nil || err != nil {
				break
			}
		}
	}
	s.send(wire.Request{Op: wire.Close})
}

// watch asks which boot it is, over and over: the connection outlives the machine's reboot, and a command that it ended has no answer.
func (s *session) watch(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-time.After(again):
			s.send(wire.Request{Op: wire.Ping})
		}
	}
}

// collect writes the command's output and gives its status.
func (s *session) collect(c Command) (int, error) {
	for {
		a, err := s.next()
		switch {
		case err != nil:
			return -1, fmt.Errorf("%w: %w", ErrRebooted, err)
		case a.Error != "":
			return a.Status, errors.New(a.Error)
		case a.Done:
			return a.Status, nil
		case a.Boot != "" && a.Boot != s.boot:
			return -1, ErrRebooted
		case a.Stream == 1 && c.Stdout != nil:
			c.Stdout.Write(a.Data)
		case a.Stream == 2 && c.Stderr != nil:
			c.Stderr.Write(a.Data)
		}
	}
}

// Boot gives the id of the machine's boot.
func (m *Machine) Boot(ctx context.Context) (string, error) {
	s, err := m.open(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	return s.boot, nil
}
