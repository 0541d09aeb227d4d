package flock

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxCommand bounds what is shown of a holder's command line, in bytes.
const maxCommand = 80

// held is the error of a lock that another process has; file is the waiter's own
// descriptor of the lock file.
func held(path string, file *os.File) error {
	pid := holder(file)
	if pid <= 0 {
		return fmt.Errorf("cannot lock %q: %w by another process", path, ErrHeld)
	}
	return fmt.Errorf("cannot lock %q: %w by pid %d (%s)", path, ErrHeld, pid, command(pid))
}

// holder finds the pid that took the lock on file, or 0.
func holder(file *os.File) int {
	var st unix.Stat_t
	table, err := os.ReadFile("/proc/locks")
	if err != nil || unix.Fstat(int(file.Fd()), &st) != nil {
		return 0
	}
	return findHolder(table, st.Dev, st.Ino)
}

// findHolder looks a flock up in the text of /proc/locks, whose lines are
//
//	1: FLOCK  ADVISORY  WRITE 1234 fe:00:123456 0 EOF
//
// with "->" after the number for one that waits. A btrfs subvolume or an overlay
// shows another device there than stat does: then the inode alone decides.
func findHolder(table []byte, dev, ino uint64) int {
	onDevice := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), ino)
	anywhere := 0
	for line := range bytes.Lines(table) {
		fields := strings.Fields(string(line))
		if len(fields) < 6 || fields[1] != "FLOCK" {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err != nil || pid <= 0 {
			continue
		}
		if fields[5] == onDevice {
			return pid
		}
		if strings.HasSuffix(fields[5], ":"+strconv.FormatUint(ino, 10)) {
			anywhere = pid
		}
	}
	return anywhere
}

// command is what to show of a process: its arguments, on one line and printable.
// It is for the reader's eye and decides nothing: a process may write there
// what it likes.
func command(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "already gone"
	}
	line = bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte{' '})
	if len(line) == 0 {
		return "no command line"
	}
	dots := ""
	if len(line) > maxCommand {
		line, dots = line[:maxCommand], "…"
	}
	quoted := strconv.Quote(string(line))
	return quoted[1:len(quoted)-1] + dots
}
