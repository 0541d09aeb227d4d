package monitor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// newLetter gives a socket that has fd in a message which nobody has read yet, see unix(7).
//
// A service manager looks at what is left with it: systemd calls fstat(2). Of a file in the
// guest's views that is a question to the monitor, and if the monitor is gone, process 1 has
// the other end of the connection itself and waits for ever. A socket it can look at.
func newLetter(fd int) (letter int, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(ends[1])
	if err := unix.Sendmsg(ends[1], []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		unix.Close(ends[0])
		return -1, os.NewSyscallError("sendmsg", err)
	}
	return ends[0], nil
}

// errNoLetter is of a descriptor that is no socket.
var errNoLetter = errors.New("it is no letter")

// openLetter gives a copy of what is in a letter, which stays in it. If letter is no
// socket, the error is errNoLetter, and nobody has been asked what else it is.
func openLetter(letter int) (fd int, err error) {
	var data [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(letter, data[:], oob, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	switch err {
	case nil:
	case unix.ENOTSOCK, unix.EBADF: // the latter of O_PATH, as a detached mount is
		return -1, errNoLetter
	default:
		return -1, os.NewSyscallError("recvmsg", err)
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err == nil && len(msgs) == 1 {
		var fds []int
		if fds, err = unix.ParseUnixRights(&msgs[0]); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, fmt.Errorf("nothing is in the letter with the guest's views (%v)", err)
}
