package monitor

import (
	"fmt"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
)

// keepWritable holds a file without a name open for writing beside the root of a privileged
// guest. That root may be a part of the host's own file system, and umount(2) of "/", as some
// systems do it at their end, makes a whole file system read-only if the caller is the real
// root: unless a file of it is open for writing (EBUSY). The filter sees no paths, so it can't
// tell that call from others. The file is closed with this process.
func (m *monitor) keepWritable(again bool) error {
	if !m.plan.Context.IDs.Host() || m.guestDir < 0 {
		return nil
	}
	_, err := unix.Openat(m.guestDir, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return nil
	case again:
		m.log.say("nothing keeps the guest from making the host's file system read-only: " + err.Error())
		return nil
	}
	return &sysctx.StepError{Step: "keep file system writable", Err: fmt.Errorf("cannot open a file for writing: %w", err)}
}
