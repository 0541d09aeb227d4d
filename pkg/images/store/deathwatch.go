package store

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// deathWatch waits for the end of a superblock without keeping it alive.
type deathWatch struct{ fd int }

// watchDeath watches the superblock of the directory at path. If the kernel
// has no inotify instance left, the watch never sees the death, and the
// holders are looked for in /proc.
func watchDeath(path string) *deathWatch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return &deathWatch{fd: -1}
	}
	flags := uint32(unix.IN_DELETE_SELF | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW)
	if _, err := unix.InotifyAddWatch(fd, path, flags); err != nil {
		unix.Close(fd)
		return &deathWatch{fd: -1}
	}
	return &deathWatch{fd: fd}
}

func (w *deathWatch) close() {
	if w.fd >= 0 {
		unix.Close(w.fd)
	}
}

// dead is true once the superblock is dead, for which it waits that long.
func (w *deathWatch) dead(wait time.Duration) bool {
	if w.fd < 0 {
		return false
	}
	until := time.Now().Add(wait)
	for {
		if w.sawUnmount() {
			return true
		}
		left := time.Until(until)
		if left <= 0 {
			return false
		}
		ready := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
		// An interrupted poll only looks once more.
		_, _ = unix.Poll(ready, int(left.Milliseconds())+1)
	}
}

// sawUnmount reads the queued events, of which IN_UNMOUNT comes once.
func (w *deathWatch) sawUnmount() bool {
	buf := make([]byte, 4096)
	n, err := unix.Read(w.fd, buf)
	if err != nil {
		return false
	}
	for buf = buf[:n]; len(buf) >= unix.SizeofInotifyEvent; {
		mask := binary.NativeEndian.Uint32(buf[4:])
		name := int(binary.NativeEndian.Uint32(buf[12:]))
		if mask&unix.IN_UNMOUNT != 0 {
			return true
		}
		buf = buf[min(len(buf), unix.SizeofInotifyEvent+name):]
	}
	return false
}
