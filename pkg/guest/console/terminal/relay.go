package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// After the process ended, others may hold its tty open; output that stays away
	// that long isn't waited for, in milliseconds.
	lingerTime = 100
	// More than a pty holds, and so more than the process can have left behind, in bytes.
	lingerSize = 256 << 10
	// A tty that nobody has open now is looked at again after that, in milliseconds.
	reopenTime = 20
)

// Relay carries bytes between the user's files and the master side of a pty that a
// process has as its terminal. It returns when done is closed, which says that the
// process ended, and what the process wrote has been shown: to the end of the pty, or
// as much as a pty holds if another process still has it open. There is no escape key,
// and nothing is changed on the way.
//
// If in is a terminal it is raw until Relay returns, and the pty follows its size.
// If in is at its end, the process is told by the pty's end-of-file character.
//
// Signals are the caller's: it catches those that would end it and passes them on to
// the process, so that it doesn't die of one with the terminal raw.
func Relay(master, in, out *os.File, done <-chan struct{}) error {
	fd := int(master.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("cannot relay a tty: %w", os.NewSyscallError("fcntl", err))
	}
	stop, err := newEvent()
	if err != nil {
		return fmt.Errorf("cannot relay a tty: %w", err)
	}
	ended, err := newEvent()
	if err != nil {
		stop.close()
		return fmt.Errorf("cannot relay a tty: %w", err)
	}
	r := &relay{master: fd, in: in, out: out, stop: stop, ended: ended}
	if err := r.run(done); err != nil {
		return fmt.Errorf("cannot relay a tty: %w", err)
	}
	return nil
}

// relay is one call of Relay. Of its two events, ended says that the process ended and
// breaks waits for more output off, and stop breaks off those for more input.
type relay struct {
	master      int
	in, out     *os.File
	stop, ended event
	over        atomic.Bool // ended is set
	raw         *rawMode
}

func (r *relay) run(done <-chan struct{}) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGWINCH, unix.SIGCONT)
	defer signal.Stop(signals)
	r.resize()
	raw, err := makeRaw(r.in)
	if err != nil {
		r.close()
		return err
	}
	r.raw = raw
	defer raw.restore()

	shown := make(chan error, 1)
	typed := make(chan struct{})
	raw.run(func() { defer close(typed); r.input() })
	raw.run(func() { shown <- r.output() })
	for {
		select {
		case sig := <-signals:
			if sig == unix.SIGCONT {
				raw.again()
			}
			r.resize()
		case <-done:
			done = nil
			r.over.Store(true)
			r.ended.set()
		case err := <-shown:
			r.stop.set()
			select {
			case <-typed:
				r.close()
			case <-time.After(finishTime): // see session.finish
			}
			return err
		}
	}
}

func (r *relay) close() {
	r.stop.close()
	r.ended.close()
}

func (r *relay) resize() {
	// It fails only for a pty that is gone, which ends the relay anyway.
	_ = fitSize(r.master, r.in, r.out)
}

// FitSize gives a pty the size of the user's terminal, if in or out is one. Relay does
// so too, but a process that has started before would see a size of 0.
func FitSize(master, in, out *os.File) error {
	if err := fitSize(int(master.Fd()), in, out); err != nil {
		return fmt.Errorf("cannot set the size of a tty: %w", os.NewSyscallError("ioctl(TIOCSWINSZ)", err))
	}
	return nil
}

func fitSize(master int, in, out *os.File) error {
	rows, cols, ok := size(out, in)
	if !ok {
		return nil
	}
	return unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
}

// input moves what is typed to the pty until the relay stops.
func (r *relay) input() {
	buf := make([]byte, pieceSize)
	last := byte('\n')
	for {
		n, err := r.stop.read(int(r.in.Fd()), buf)
		if n > 0 {
			last = buf[n-1]
			err = r.enter(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			// In the middle of a line the first one only ends the line.
			if eof := r.eofChar(); eof != 0 && last != '\n' {
				_ = r.enter([]byte{eof, eof})
			} else if eof != 0 {
				_ = r.enter([]byte{eof})
			}
		}
		if err != nil {
			return
		}
	}
}

// enter writes to the pty, waiting for room. What is typed to a pty that nobody has
// open is dropped.
func (r *relay) enter(p []byte) error {
	err := r.stop.write(r.master, p)
	if errors.Is(err, unix.EIO) {
		return nil
	}
	return err
}

// eofChar is the pty's end-of-file character, 0 if it has none: in raw mode it would
// be input.
func (r *relay) eofChar() byte {
	tio, err := unix.IoctlGetTermios(r.master, unix.TCGETS)
	if err != nil || tio.Lflag&unix.ICANON == 0 {
		return 0
	}
	return tio.Cc[unix.VEOF]
}

// output moves the process's output to the user until there is no more. If the user's
// side is broken the process isn't held up by it, and the error is kept for the end.
func (r *relay) output() (failed error) {
	buf := make([]byte, pieceSize)
	for left := lingerSize; left > 0; {
		over := r.over.Load() // before the read, which then finds all there is
		n, err := unix.Read(r.master, buf)
		switch {
		case n > 0:
			if failed == nil {
				failed = r.stop.write(int(r.out.Fd()), buf[:n])
			}
			if over {
				left -= n
			}
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if !r.more() {
				return failed
			}
		case over:
			return failed
		default:
			// EIO: no process has the tty open, but one may open it again.
			_, _ = r.ended.wait(-1, 0, reopenTime)
		}
	}
	return failed
}

// more waits for output and says whether there may be some.
func (r *relay) more() bool {
	_, err := r.ended.wait(r.master, unix.POLLIN, -1)
	if err == nil {
		return true
	}
	fds := []unix.PollFd{{Fd: int32(r.master), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, lingerTime)
	return n > 0 || err == unix.EINTR
}
