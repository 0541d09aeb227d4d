package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// ErrAgain says that nothing is there yet: the loop waits for the
// descriptor again.
var ErrAgain = errors.New("nothing to receive yet")

// Peer is the server's end of one client's connection.
type Peer struct {
	// Program is the version of this program, which every answer carries.
	Program string

	fd      int
	pid     int
	version int
}

// Resume is the connection of a client whose request for OpUpgrade the program before
// this one took, in the same process.
func Resume(fd int, program string) *Peer {
	return &Peer{Program: program, fd: fd, version: since(OpUpgrade)}
}

// Accept takes the next client off a listening socket, or fails with
// [ErrAgain]. A client that isn't root is dropped and reported as an error
// that says who it was; the loop calls Accept again.
func Accept(listenFD int) (*Peer, error) {
	fd, _, err := unix.Accept4(listenFD, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		return nil, ErrAgain
	case err != nil:
		return nil, fmt.Errorf("cannot accept client: %w", err)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err == nil && cred.Uid != 0 {
		err = fmt.Errorf("process %d of user %d is not root", cred.Pid, cred.Uid)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot accept client: %w", err)
	}
	return &Peer{fd: fd, pid: int(cred.Pid), version: MaxVersion}, nil
}

// FD is the descriptor to wait for with epoll; it stays the Peer's.
func (p *Peer) FD() int { return p.fd }

// Pid is the client's process as it was when it connected.
func (p *Peer) Pid() int { return p.pid }

// Receive takes one request and its descriptors, which the caller closes. It
// fails with [ErrAgain] if none is there, with io.EOF if the client is gone
// or the connection broke. A malformed request was already answered, and is
// reported as the *[Error] that was sent.
func (p *Peer) Receive() (*Request, []int, error) {
	data, fds, err := receivePacket(p.fd)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil, nil, ErrAgain
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, io.EOF):
		return nil, nil, io.EOF
	case err != nil:
		return nil, nil, p.refuse(Errorf(KindInvalid, "cannot read request: %v", err))
	}
	req, version, bad := decodeRequest(data, p.Program)
	p.version = version
	if bad != nil {
		CloseAll(fds)
		return nil, nil, p.refuse(bad)
	}
	return req, fds, nil
}

func (p *Peer) refuse(bad *Error) error {
	if err := p.Reply(&Response{Error: bad}); err != nil {
		return io.EOF
	}
	return bad
}

// Reply sends an answer with descriptors, which stay the caller's. OK is set
// from Error. It doesn't wait: a client that leaves its answers unread until
// the socket is full gets an error, and its connection is to be closed.
func (p *Peer) Reply(resp *Response, fds ...int) error {
	resp.V, resp.Program = p.version, p.Program
	resp.OK = resp.Error == nil
	data, err := json.Marshal(resp)
	if err != nil {
		return fmt.Errorf("cannot write answer: %w", err)
	}
	if err := sendPacket(p.fd, data, fds); err != nil {
		return fmt.Errorf("cannot send answer: %w", err)
	}
	return nil
}

// Close ends the connection.
func (p *Peer) Close() error { return unix.Close(p.fd) }
