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
	pid := holder(int(file.Fd()))
	if pid <= 0 {
		return fmt.Errorf("cannot lock %q: %w by another process", path, ErrHeld)
	}
	return fmt.Errorf("cannot lock %q: %w by pid %d (%s)", path, ErrHeld, pid, command(pid))
}

// Holder names the process that has the lock on the open file fd, and its
// command line, for a message; pid is 0 if none is found. A lock that its taker
// left to others (the lock belongs to the open file, which was passed on) is the
// one's of those others that was started last.
func Holder(fd int) (pid int, line string) {
	pid = holder(fd)
	if pid <= 0 || unix.Kill(pid, 0) != nil {
		pid = keeper(fd)
	}
	if pid <= 0 {
		return 0, "another process"
	}
	return pid, command(pid)
}

// holder finds the pid that took the lock on fd, or 0.
func holder(fd int) int {
	var st unix.Stat_t
	table, err := os.ReadFile("/proc/locks")
	if err != nil || unix.Fstat(fd, &st) != nil {
		return 0
	}
	return findHolder(table, st.Dev, st.Ino)
}

// keeper looks through all processes for the one with the highest pid that has
// the file of fd open, and a lock on what it has open.
func keeper(fd int) (found int) {
	own, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return 0
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, p := range procs {
		if pid, err := strconv.Atoi(p.Name()); err == nil && pid > found && keeps(p.Name(), own) {
			found = pid
		}
	}
	return found
}

func keeps(pid string, file os.FileInfo) bool {
	fds, _ := os.ReadDir("/proc/" + pid + "/fd") // of a process that has gone: none
	for _, fd := range fds {
		st, err := os.Stat("/proc/" + pid + "/fd/" + fd.Name())
		if err != nil || !os.SameFile(st, file) {
			continue
		}
		// proc_pid_fdinfo(5): a lock line for each lock of this open file.
		info, _ := os.ReadFile("/proc/" + pid + "/fdinfo/" + fd.Name())
		if bytes.Contains(info, []byte("FLOCK")) {
			return true
		}
	}
	return false
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
