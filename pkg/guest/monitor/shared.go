package monitor

import (
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/state"
)

// sharedNet opens the network namespace of the guest whose network this one has too. It is
// in a launch's goroutine.
func (m *monitor) sharedNet() (int, error) {
	other := m.plan.Context.Net.Share
	dir, err := unix.Open(filepath.Join(m.plan.RunDir, other), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("share.net: guest %s doesn't run", other)
	}
	defer unix.Close(dir)
	run, err := state.ReadRun(dir)
	if err != nil || run.Pid <= 1 || run.BootID != m.plan.BootID {
		return -1, fmt.Errorf("share.net: guest %s doesn't run", other)
	}
	pidfd, err := unix.PidfdOpen(run.Pid, 0)
	if err != nil {
		return -1, fmt.Errorf("share.net: guest %s doesn't run", other)
	}
	defer unix.Close(pidfd)
	net, err := unix.Open("/proc/"+strconv.Itoa(run.Pid)+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	// The process that was opened is the one of the pidfd only if that still lives.
	if err != nil || !alive(pidfd) {
		if err == nil {
			unix.Close(net)
		}
		return -1, fmt.Errorf("share.net: guest %s doesn't run", other)
	}
	return net, nil
}
