package control

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// MaxPacket is the size of the largest message, in bytes.
const MaxPacket = 64 << 10

// maxFDs is how many descriptors one message may carry.
const maxFDs = 16

// errTooLong says that a packet is over MaxPacket.
var errTooLong = fmt.Errorf("packet of more than %d bytes", MaxPacket)

// receivePacket takes one packet and its descriptors (close-on-exec) off a
// socket without waiting. It fails with EAGAIN if there is none, with io.EOF
// if the peer is gone. A packet that breaks a bound is taken off, its
// descriptors are closed.
func receivePacket(fd int) ([]byte, []int, error) {
	// The length first, so that a small message costs a small buffer.
	size, _, err := ignoringEINTR(func() (int, int, error) {
		n, _, err := unix.Recvfrom(fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC|unix.MSG_DONTWAIT)
		return n, 0, err
	})
	if err != nil {
		return nil, nil, err
	}
	buf := make([]byte, min(size, MaxPacket))
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	var flags int
	n, oobn, err := ignoringEINTR(func() (int, int, error) {
		n, oobn, f, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		flags = f
		return n, oobn, err
	})
	if err != nil {
		return nil, nil, err
	}
	fds, err := parseFDs(oob[:oobn])
	switch {
	case err != nil:
	case flags&unix.MSG_TRUNC != 0:
		err = errTooLong
	case flags&unix.MSG_CTRUNC != 0:
		err = fmt.Errorf("more than %d descriptors in a packet", maxFDs)
	case n == 0 && len(fds) == 0:
		// An empty packet looks as an end does, and nobody sends one.
		err = io.EOF
	}
	if err != nil {
		CloseAll(fds)
		return nil, nil, err
	}
	return buf[:n], fds, nil
}

// sendPacket sends one packet without waiting. MSG_NOSIGNAL: a peer that has
// gone is an error, not a SIGPIPE.
func sendPacket(fd int, data []byte, fds []int) error {
	if len(data) > MaxPacket {
		return errTooLong
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, err := ignoringEINTR(func() (int, int, error) {
		return 0, 0, unix.Sendmsg(fd, data, oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
	return err
}

// parseFDs collects the descriptors of all control messages, also when one
// of the messages can't be read, so that the caller can close them.
func parseFDs(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("control message: %w", err)
	}
	var fds []int
	for i := range msgs {
		if msgs[i].Header.Level != unix.SOL_SOCKET || msgs[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		some, perr := unix.ParseUnixRights(&msgs[i])
		if perr != nil {
			err = fmt.Errorf("control message: %w", perr)
		}
		fds = append(fds, some...)
	}
	return fds, err
}

func ignoringEINTR(call func() (int, int, error)) (int, int, error) {
	for {
		a, b, err := call()
		if !errors.Is(err, unix.EINTR) {
			return a, b, err
		}
	}
}

// CloseAll closes descriptors that came with a message and aren't wanted.
func CloseAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
