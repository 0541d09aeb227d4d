package proto

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// The largest packet, and the most descriptors in one (SCM_MAX_FD is 253).
const (
	maxPacket = 128 << 10
	maxFDs    = 64
)

// Conn is one end of the socket. It does not own goroutines or deadlines: use
// SetTimeout.
type Conn struct{ fd int }

// NewConn takes ownership of fd, a SOCK_SEQPACKET socket.
func NewConn(fd int) *Conn { return &Conn{fd} }

// Close closes the socket.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// SetTimeout bounds each receive; 0 is no bound. Microseconds.
func (c *Conn) SetTimeout(usec int64) error {
	tv := unix.NsecToTimeval(usec * 1000)
	return unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
}

// Send sends a message with its descriptors, which stay open here.
func (c *Conn) Send(m Message, fds ...int) error {
	m.Version = Version
	if len(fds) != len(m.FDs) {
		return fmt.Errorf("cannot send %s: %d descriptors for %d names", m.Kind, len(fds), len(m.FDs))
	}
	w := &writer{}
	w.message(&m)
	data := w.b
	if len(data) > maxPacket {
		return fmt.Errorf("cannot send %s: %d bytes are more than %d", m.Kind, len(data), maxPacket)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	var err error
	for {
		err = unix.Sendmsg(c.fd, data, oob, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", m.Kind, err)
	}
	return nil
}

// Receive waits for a message. The descriptors are the caller's, by name. An end
// of file is io.EOF; a timeout is EAGAIN.
func (c *Conn) Receive() (Message, map[string]int, error) {
	size, err := c.next()
	if err != nil {
		return Message{}, nil, fmt.Errorf("cannot receive: %w", err)
	}
	data := make([]byte, size)
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	var n, on, flags int
	for {
		n, on, flags, _, err = unix.Recvmsg(c.fd, data, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return Message{}, nil, fmt.Errorf("cannot receive: %w", err)
	}
	if n == 0 && on == 0 {
		return Message{}, nil, io.EOF
	}
	fds, err := rights(oob[:on])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = fmt.Errorf("cannot receive: message truncated")
	}
	var m Message
	if err == nil {
		m, err = decode(data[:n], len(fds))
	}
	if err != nil {
		closeAll(fds)
		return Message{}, nil, err
	}
	named := make(map[string]int, len(fds))
	for i, name := range m.FDs {
		named[name] = fds[i]
	}
	return m, named, nil
}

// next waits for a packet and gives its size, 0 at the end of the file. A buffer for
// the largest packet would cost each receiver its pages.
func (c *Conn) next() (int, error) {
	for {
		n, _, err := unix.Recvfrom(c.fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		if err != unix.EINTR {
			return min(max(n, 0), maxPacket), err
		}
	}
}

func decode(data []byte, fds int) (Message, error) {
	m, err := (&reader{b: data}).message()
	if err != nil {
		return Message{}, fmt.Errorf("cannot decode message: %w", err)
	}
	if len(m.FDs) != fds {
		return Message{}, fmt.Errorf("cannot decode %s: %d descriptors for %d names", m.Kind, fds, len(m.FDs))
	}
	return *m, nil
}

func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("cannot parse control message: %w", err)
	}
	var all []int
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("cannot parse descriptors: %w", err)
		}
		all = append(all, fds...)
	}
	return all, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
