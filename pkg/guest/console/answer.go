package console

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"
)

// What systemd, since its version 258 at the latest, asks a terminal to learn
// its size: once at boot on the console, and on every tty that it resets for a
// service. It waits 333 ms for an answer each time, which is most of the boot and
// of the shutdown of a small guest. Sources: xterm's control sequences (CSI 18 t,
// and the cursor's place after it was moved as far as it goes).
const (
	askSize   = "\x1b[18t"
	askCorner = "\x1b[32766;32766H\x1b[6n"
)

// answer stands in for the terminal while nobody is attached. Only these
// questions are answered: what it says is input to whoever reads the tty. One
// that is cut in two by a read is not noticed.
func (t *TTY) answer(output []byte) {
	if len(t.clients) > 0 || bytes.IndexByte(output, 0x1b) < 0 {
		return
	}
	form := ""
	switch {
	case bytes.Contains(output, []byte(askSize)):
		form = "\x1b[8;%d;%dt"
	case bytes.Contains(output, []byte(askCorner)):
		form = "\x1b[%d;%dR"
	default:
		return
	}
	size, err := unix.IoctlGetWinsize(t.o.Master, unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return
	}
	// A full pty: then nobody reads the answer either.
	_, _ = unix.Write(t.o.Master, fmt.Appendf(nil, form, size.Row, size.Col))
}
