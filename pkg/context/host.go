package context

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hostRelease is the host's os-release file, empty if it has none.
// Source: os-release(5).
func hostRelease() string {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, err := os.ReadFile(path); err == nil && len(data) < 16<<10 {
			return string(data)
		}
	}
	return ""
}

// guestOOMScore gives the guest the neutral score where the caller's own is
// lower: a monitor is better protected than its guest. Raising it needs no privilege.
func guestOOMScore(pid int) error {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil || strings.TrimSpace(string(own)) == "0" {
		return nil
	}
	return writeOOMScore(pid, 0)
}

// setOOMScore gives a guest the score that its configuration says. Less than it has takes
// CAP_SYS_RESOURCE of the host.
func setOOMScore(pid, score int) error {
	if score == 0 {
		return nil // it has it already
	}
	if err := writeOOMScore(pid, score); err != nil {
		return fmt.Errorf("oom_score_adj: %w", err)
	}
	return nil
}

func writeOOMScore(pid, score int) error {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open oom_score_adj", err)
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(strconv.Itoa(score)))
	return os.NewSyscallError("write oom_score_adj", err)
}
