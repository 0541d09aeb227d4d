package within

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// maxMessages bounds what is read of a namespace: whose it is can make as many interfaces
// and addresses as the kernel takes.
const maxMessages = 1024

// socket is one to the kernel's network, in the namespace that the thread was in.
type socket struct {
	fd  int
	buf []byte
}

func open(buf []byte) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("cannot open netlink socket: %w", err)
	}
	return &socket{fd, buf}, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// request asks: body is the header of the request's kind with its attributes.
func (s *socket) request(kind uint16, flags uint16, body []byte) error {
	msg := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(msg, uint32(unix.SizeofNlMsghdr+len(body)))
	binary.NativeEndian.PutUint16(msg[4:], kind)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST|flags)
	return unix.Sendto(s.fd, append(msg, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// dump asks for all of a kind and gives each, up to maxMessages.
func (s *socket) dump(kind uint16, body []byte, each func(body []byte)) error {
	if err := s.request(kind, unix.NLM_F_DUMP, body); err != nil {
		return err
	}
	for n := 0; n < maxMessages; {
		text, err := s.receive()
		if err != nil {
			return err
		}
		for kind, body := range messages(text) {
			switch kind {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return errorOf(body)
			}
			each(body)
			n++
		}
	}
	return nil
}

func (s *socket) receive() ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, s.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return s.buf[:max(n, 0)], err
	}
}

// errorOf is what a message of the kind NLMSG_ERROR says.
func errorOf(body []byte) error {
	if len(body) < 4 {
		return unix.EBADMSG
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// messages are those of a datagram: kind and content. Source: netlink(7).
func messages(text []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(text) >= unix.SizeofNlMsghdr {
			size := int(binary.NativeEndian.Uint32(text))
			if size < unix.SizeofNlMsghdr || size > len(text) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(text[4:]), text[unix.SizeofNlMsghdr:size]) {
				return
			}
			text = text[min(align(size), len(text)):]
		}
	}
}

// attributes are those behind a message's own header. Source: rtnetlink(7).
func attributes(text []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(text) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(text))
			if size < unix.SizeofRtAttr || size > len(text) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(text[2:])&^unix.NLA_F_NESTED, text[unix.SizeofRtAttr:size]) {
				return
			}
			text = text[min(align(size), len(text)):]
		}
	}
}

func align(n int) int { return (n + 3) &^ 3 }

// attribute is one of 32 bits.
func attribute(kind uint16, value uint32) []byte {
	b := make([]byte, 8)
	binary.NativeEndian.PutUint16(b, 8)
	binary.NativeEndian.PutUint16(b[2:], kind)
	binary.NativeEndian.PutUint32(b[4:], value)
	return b
}
