package terminal

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// What a screen says to its terminal. Source: console_codes(4).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[2J" // the alternate screen, no cursor, cleared
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	topLeft     = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
	reversed    = "\x1b[7m"
	plain       = "\x1b[m"
)

const (
	keyInterrupt = 3  // Ctrl-C, which is no signal in raw mode
	keySuspend   = 26 // Ctrl-Z
)

// Screen has the whole of the user's terminal for a program that shows lines and is
// driven by keys. Nothing of what was on the terminal is lost, and it is restored by
// Close, by a stop of the program for its time, and by a panic in between.
type Screen struct {
	in, out *os.File
	raw     *rawMode
	stop    event
	signals chan os.Signal
	keys    chan byte  // closed when the terminal is gone
	frames  chan frame // what is to be shown next: a terminal that takes nothing holds nobody up
	idle    chan struct{}
}

// frame is something to be written at once. A picture is old when the next one is there,
// a change of the terminal's mode isn't.
type frame struct {
	mode, picture string
	shown         chan struct{} // closed then; nil: nobody waits
}

// Input is what the user or the host did.
type Input struct {
	Key     byte      // a key; 0: none
	Resized bool      // or has to be shown anew for another reason
	Signal  os.Signal // told to end: SIGHUP, SIGINT, SIGQUIT, SIGTERM, and SIGHUP if the terminal is gone
}

// OpenScreen takes the terminal. Both files have to be terminals.
func OpenScreen(in, out *os.File) (*Screen, error) {
	if !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil, fmt.Errorf("cannot take the screen: standard input and output are no terminal")
	}
	stop, err := newEvent()
	if err != nil {
		return nil, fmt.Errorf("cannot take the screen: %w", err)
	}
	s := &Screen{in: in, out: out, stop: stop, signals: make(chan os.Signal, 8), keys: make(chan byte, 64), frames: make(chan frame, 1), idle: make(chan struct{}, 2)}
	// Before the terminal is raw: a signal in between must not leave it so.
	signal.Notify(s.signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGTSTP, unix.SIGWINCH, unix.SIGCONT)
	if s.raw, err = makeRaw(in); err != nil {
		signal.Stop(s.signals)
		stop.close()
		return nil, fmt.Errorf("cannot take the screen: %w", err)
	}
	s.raw.run(s.read)
	s.raw.run(s.write)
	s.put(frame{mode: enterScreen})
	return s, nil
}

// Next waits for input, until the timer fires: then there is none, and ok is false.
func (s *Screen) Next(timer <-chan time.Time) (input Input, ok bool) {
	for {
		select {
		case <-timer:
			return Input{}, false
		case key, open := <-s.keys:
			switch {
			case !open:
				return Input{Signal: unix.SIGHUP}, true
			case key == keyInterrupt:
				return Input{Signal: unix.SIGINT}, true
			case key == keySuspend:
				s.suspend()
				return Input{Resized: true}, true
			}
			return Input{Key: key}, true
		case sig := <-s.signals:
			switch sig {
			case unix.SIGWINCH:
			case unix.SIGTSTP:
				s.suspend()
			case unix.SIGCONT: // after a stop that can't be caught
				s.raw.again()
				s.put(frame{mode: enterScreen})
			default:
				return Input{Signal: sig}, true
			}
			return Input{Resized: true}, true
		}
	}
}

// suspend gives the terminal back for as long as the program is stopped.
func (s *Screen) suspend() {
	shown := make(chan struct{})
	s.put(frame{mode: leaveScreen, shown: shown})
	select {
	case <-shown:
	case <-time.After(finishTime):
	}
	s.raw.pause()
	// It can't be caught. To this thread, so that it stops before it returns: a signal to
	// the process may be taken by another thread, while this one runs on for a moment.
	runtime.LockOSThread()
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSTOP)
	runtime.UnlockOSThread()
	s.raw.again()
	s.put(frame{mode: enterScreen})
}

// Size is the terminal's; 24 times 80 where it doesn't say.
func (s *Screen) Size() (rows, cols int) {
	if h, w, ok := size(s.out, s.in); ok {
		return int(h), int(w)
	}
	return 24, 80
}

// Show replaces what is shown, as far as there is room. The line with the number
// reverse, from 0 on, is in reverse video. Lines have no control characters.
func (s *Screen) Show(lines []string, reverse int) {
	rows, cols := s.Size()
	var b strings.Builder
	b.WriteString(topLeft)
	for i, line := range lines[:min(len(lines), rows)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		line = clip(line, cols)
		if i == reverse {
			line = reversed + line + strings.Repeat(" ", max(0, cols-len([]rune(line)))) + plain
		}
		b.WriteString(line)
		if i != reverse {
			b.WriteString(clearLine)
		}
	}
	b.WriteString(clearBelow)
	s.put(frame{picture: b.String()})
}

// clip cuts a line to a number of characters.
func clip(line string, cols int) string {
	n := 0
	for i := range line {
		if n == cols {
			return line[:i]
		}
		n++
	}
	return line
}

// put has a frame shown, in the place of one that waits for it.
func (s *Screen) put(next frame) {
	for {
		select {
		case s.frames <- next:
			return
		default:
		}
		select {
		case old := <-s.frames:
			next.mode = old.mode + next.mode
		default:
		}
	}
}

// Close restores the terminal.
func (s *Screen) Close() {
	if s.raw == nil {
		return
	}
	signal.Stop(s.signals)
	s.put(frame{mode: leaveScreen})
	close(s.frames)
	s.stop.set()
	s.finish()
	s.raw.restore()
	s.raw = nil
}

// finish waits for the goroutines, but not for one that the terminal holds.
func (s *Screen) finish() {
	late := time.After(finishTime)
	for range 2 {
		select {
		case <-s.idle:
		case <-late:
			return
		}
	}
	s.stop.close()
}

func (s *Screen) read() {
	defer func() { s.idle <- struct{}{} }()
	defer close(s.keys)
	buf := make([]byte, 64)
	for {
		n, err := s.stop.read(int(s.in.Fd()), buf)
		if err != nil {
			return
		}
		for _, key := range withoutSequences(buf[:n]) {
			select {
			case s.keys <- key:
			default: // somebody holds a key down
			}
		}
	}
}

// withoutSequences leaves out what keys such as arrows send: ESC, [ or O, and what
// follows up to a byte from @ to ~.
func withoutSequences(typed []byte) []byte {
	var keys []byte
	for len(typed) > 0 {
		if typed[0] != '\x1b' {
			keys, typed = append(keys, typed[0]), typed[1:]
			continue
		}
		typed = typed[1:]
		if len(typed) == 0 || typed[0] != '[' && typed[0] != 'O' {
			continue
		}
		end := slices.IndexFunc(typed[1:], func(b byte) bool { return b >= '@' && b <= '~' })
		if end < 0 {
			break
		}
		typed = typed[end+2:]
	}
	return keys
}

func (s *Screen) write() {
	defer func() { s.idle <- struct{}{} }()
	for f := range s.frames {
		// If it fails the terminal is gone, which the reader finds out.
		_, _ = s.out.WriteString(f.mode + f.picture)
		if f.shown != nil {
			close(f.shown)
		}
	}
}
