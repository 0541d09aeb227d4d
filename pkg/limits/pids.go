package limits

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// DefaultPids is the number of processes and threads that a guest may have if
// its configuration says nothing: a quarter of the host's pid_max, and at most
// 16,384, so that a fork bomb in one guest leaves the host and the others room.
func DefaultPids(pidMax int64) int64 { return max(1, min(16384, pidMax/4)) }

// HostDefaultPids is DefaultPids for this host (/proc/sys/kernel/pid_max).
func HostDefaultPids() (int64, error) {
	text, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return 0, fmt.Errorf("cannot read the host's largest pid: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot parse the host's largest pid: %w", err)
	}
	return DefaultPids(n), nil
}
