package monitor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/console"
)

const logSize = 1 << 20

// logger writes lines with a time into NAME.log, which is rotated by size.
type logger struct {
	log  *console.Log
	path string
	// journal: standard output goes to the host's journal (JOURNAL_STREAM of systemd.exec(5)).
	journal bool
}

// openLog opens the guest's log. It never fails: a guest is kept without a log
// rather than not at all.
func openLog(dirFD int, dir, name string) *logger {
	l := &logger{path: filepath.Join(dir, name+".log"), journal: os.Getenv("JOURNAL_STREAM") != ""}
	log, err := console.NewLog(dirFD, name+".log", console.LogOptions{Size: logSize})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return l
	}
	l.log = log
	l.takeStderr()
	return l
}

// takeStderr makes the file standard error, where the runtime writes the stack
// of a panic. After a rotation this is the older file, until the next SIGHUP.
func (l *logger) takeStderr() {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	fd, err := unix.Open(l.path, flags, 0o600)
	if err == nil {
		unix.Dup3(fd, 2, 0)
		unix.Close(fd)
	}
}

func (l *logger) say(text string) {
	if l.journal {
		// A journal that doesn't read must not hold a guest's monitor up.
		unix.SendmsgN(1, []byte(printable(text)+"\n"), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	if l.log == nil {
		return
	}
	now := time.Now()
	line := now.UTC().Format("2006-01-02T15:04:05.000Z ") + printable(text) + "\n"
	l.log.Write(now, []byte(line))
}

// printable keeps a line one line: texts quote what guests have said.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
