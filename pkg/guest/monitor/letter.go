package monitor

import (
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

// openLetter gives a copy of what is in a letter, which stays in it. If letter is no
// socket, the error is ENOTSOCK, and nobody has been asked what else it is.
func openLetter(letter int) (fd int, err error) {
	var data [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(letter, data[:], oob, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
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
