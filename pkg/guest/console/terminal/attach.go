package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// What was typed before the user left has this long to reach the guest.
	leaveTime = time.Second
	// A goroutine that a terminal holds isn't waited for longer.
	finishTime = 200 * time.Millisecond
)

// Options of Attach.
type Options struct {
	// In and Out are the user's; terminals, pipes or files.
	In, Out *os.File
	// Conn carries the tty's bytes. Close must end a Read that waits, as that of a
	// net.Conn and of a pollable os.File does. Attach closes it.
	Conn io.ReadWriteCloser
	// Resize is told the terminal's size at first and when it changes, in one
	// goroutine at a time. May be nil.
	Resize func(rows, cols uint16)
	// Escape is the key for commands.
	Escape Escape
	// Stay keeps showing the tty after the end of In.
	Stay bool
	// Banner is written to Out before anything else.
	Banner string
}

// Reason is why Attach ended.
type Reason int

const (
	// Detached: the user typed the escape key and q, or without Options.Stay the input
	// is at its end.
	Detached Reason = iota
	// Gone: the other side closed the connection.
	Gone
	// Signalled: this process was told to end by SIGHUP, SIGINT, SIGQUIT or SIGTERM.
	Signalled
)

// End is how Attach ended.
type End struct {
	Reason Reason
	Signal os.Signal // of Signalled
}

// Attach connects the user's terminal to a tty until one side has had enough. The
// terminal is raw meanwhile and is always restored, after a signal and a panic too.
// Input at its end (a pipe) detaches once it was sent, unless it is to stay.
func Attach(o Options) (End, error) {
	end, err := attach(o)
	if err != nil {
		return end, fmt.Errorf("cannot attach to the tty: %w", err)
	}
	return end, nil
}

func attach(o Options) (End, error) {
	hangUp := sync.OnceFunc(func() { o.Conn.Close() })
	defer hangUp()
	stop, err := newEvent()
	if err != nil {
		return End{}, err
	}
	if err := stop.write(int(o.Out.Fd()), []byte(o.Banner)); err != nil {
		stop.close()
		return End{}, err
	}
	// Before the terminal is raw: a signal in between must not leave it so.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGWINCH, unix.SIGCONT)
	defer signal.Stop(signals)
	raw, err := makeRaw(o.In)
	if err != nil {
		stop.close()
		return End{}, err
	}
	defer raw.restore()
	s := &session{Options: o, raw: raw, stop: stop, hangUp: hangUp, queue: newQueue(),
		typed: make(chan error, 1), sent: make(chan error, 1), shown: make(chan error, 1)}
	end, err := s.run(signals)
	raw.restore()
	if raw != nil && end.Reason != Signalled {
		// The shell's prompt begins on a line of its own.
		_, _ = o.Out.WriteString("\n")
	}
	return end, err
}

// session is one call of Attach. Each channel gets the end of one goroutine.
type session struct {
	Options
	raw    *rawMode
	stop   event
	hangUp func()
	queue  *queue
	typed  chan error // In -> queue
	sent   chan error // queue -> Conn
	shown  chan error // Conn -> Out
}

func (s *session) run(signals <-chan os.Signal) (End, error) {
	s.raw.run(s.show)
	s.raw.run(s.send)
	s.raw.run(s.read)
	end, err := s.wait(signals)
	s.stop.set()
	s.queue.close()
	s.queue.fail()
	s.hangUp()
	s.finish()
	return end, err
}

// finish waits for the goroutines that use the event. One can be stuck: in a write to
// a terminal that takes nothing, or in a read of which another process took the input.
// It ends with the terminal, and keeps the event until then.
func (s *session) finish() {
	late := time.After(finishTime)
	for _, c := range []chan error{s.typed, s.shown} {
		if c == nil {
			continue
		}
		select {
		case <-c:
		case <-late:
			return
		}
	}
	s.stop.close()
}

// wait handles signals until something ends the session. A channel that has given
// its end is nil.
func (s *session) wait(signals <-chan os.Signal) (End, error) {
	s.resize()
	var leave <-chan time.Time
	for {
		select {
		case sig := <-signals:
			switch sig {
			case unix.SIGCONT:
				s.raw.again()
				s.resize()
			case unix.SIGWINCH:
				s.resize()
			default:
				return End{Reason: Signalled, Signal: sig}, nil
			}
		case err := <-s.typed:
			s.typed = nil
			switch err {
			case io.EOF: // until it was sent
			case errDetach:
				leave = time.After(leaveTime)
			default:
				return End{}, err
			}
		case <-leave:
			return End{Reason: Detached}, nil
		case err := <-s.sent:
			s.sent = nil
			if err == nil {
				return End{Reason: Detached}, nil
			}
			// The connection is broken: what it still had is shown first.
		case err := <-s.shown:
			s.shown = nil
			return End{Reason: Gone}, err
		}
	}
}

func (s *session) resize() {
	if s.Resize == nil {
		return
	}
	if rows, cols, ok := size(s.Out, s.In); ok {
		s.Resize(rows, cols)
	}
}

// errDetach is the escape key and q.
var errDetach = errors.New("detached")

// read moves what is typed into the queue, without commands.
func (s *session) read() {
	buf := make([]byte, pieceSize)
	keys := filter{escape: s.Escape}
	for {
		n, err := s.stop.read(int(s.In.Fd()), buf)
		if err != nil {
			if err != io.EOF || !s.Stay {
				s.queue.close()
			}
			s.typed <- err
			return
		}
		p, detach := keys.feed(buf[:n])
		s.queue.put(p)
		if detach {
			s.queue.close()
			s.typed <- errDetach
			return
		}
	}
}

// send moves the queue to the guest.
func (s *session) send() {
	var p []byte
	for {
		if p = s.queue.take(p); p == nil {
			s.sent <- nil
			return
		}
		if _, err := s.Conn.Write(p); err != nil {
			s.queue.fail()
			s.sent <- err
			return
		}
	}
}

// show moves the guest's output to the user. nil is the end of the connection; that
// of a monitor which was killed looks different, but is the same to a user.
func (s *session) show() {
	buf := make([]byte, pieceSize)
	for {
		n, err := s.Conn.Read(buf)
		if werr := s.stop.write(int(s.Out.Fd()), buf[:n]); werr != nil {
			s.shown <- werr
			return
		}
		if err != nil {
			s.shown <- nil
			return
		}
	}
}
