package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// StatusTimeout bounds a status request whose context has no deadline of its
// own: a monitor answers at once, or is stopped by a signal.
const StatusTimeout = 2 * time.Second

var (
	// ErrNoMonitor says that nobody listens: no monitor runs.
	ErrNoMonitor = errors.New("no monitor listens")
	// ErrLost says that the server went away before it answered. The
	// request may or may not have been carried out: ask for the status.
	ErrLost = errors.New("connection lost")
	// ErrTimeout says that the server didn't answer in the time given.
	ErrTimeout = errors.New("no answer in time")
)

// Conn is a client's connection.
type Conn struct {
	file *os.File
	raw  syscall.RawConn
}

// Dial connects to the monitor of a guest; runDirFD is open on the run
// directory of the instance. It fails with [ErrNoMonitor] if nobody listens.
func Dial(ctx context.Context, runDirFD int, name string) (*Conn, error) {
	conn, err := DialAt(ctx, runDirFD, name+"/"+SocketName)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to monitor of %s: %w", name, err)
	}
	return conn, nil
}

// DialAt connects to the socket at a path, with at most one directory in it,
// below the directory that dirFD is open on.
func DialAt(ctx context.Context, dirFD int, path string) (*Conn, error) {
	addr, err := address(dirFD, path)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make socket: %w", err)
	}
	if err := connect(ctx, fd, addr); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Conn{file: file, raw: raw}, nil
}

// connect waits in small steps while the server's queue is full: the kernel
// wakes no poller for that.
func connect(ctx context.Context, fd int, addr *unix.SockaddrUnix) error {
	for {
		err := unix.Connect(fd, addr)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EPROTOTYPE):
			return ErrNoMonitor
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("connect: %w", err)
		}
		select {
		case <-ctx.Done():
			return contextError(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Call sends a request and waits for its answer, until ctx ends. An error
// that the server answers is returned as *[Error], with resp filled. The
// descriptors of the answer are the caller's.
func (c *Conn) Call(ctx context.Context, req Request, resp *Response) ([]int, error) {
	return c.CallFDs(ctx, req, nil, resp)
}

// CallFDs is Call with descriptors for the server, which stay the caller's.
func (c *Conn) CallFDs(ctx context.Context, req Request, send []int, resp *Response) ([]int, error) {
	if _, ok := ctx.Deadline(); !ok && req.Op == OpStatus {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, StatusTimeout)
		defer cancel()
	}
	if err := c.Send(ctx, req, send...); err != nil {
		return nil, err
	}
	return c.Receive(ctx, resp)
}

// Send sends a request that has no answer, as [OpResize], or whose answer is
// received later.
func (c *Conn) Send(ctx context.Context, req Request, fds ...int) error {
	req.Min, req.Max = since(req.Op), MaxVersion
	data, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("cannot write request %s: %w", req.Op, err)
	}
	defer c.interruptible(ctx)()
	var sent error
	err = c.raw.Write(func(fd uintptr) bool {
		sent = sendPacket(int(fd), data, fds)
		return !errors.Is(sent, unix.EAGAIN)
	})
	if err = callError(ctx, errors.Join(err, sent)); err != nil {
		return fmt.Errorf("cannot send request %s: %w", req.Op, err)
	}
	return nil
}

// soon is how long an answer is waited for without heeding the context, in
// milliseconds.
const soon = 5

// Receive waits for an answer.
func (c *Conn) Receive(ctx context.Context, resp *Response) ([]int, error) {
	defer c.interruptible(ctx)()
	var data []byte
	var fds []int
	var got error
	// Most answers take less than waking the thread that polls for all: they are
	// waited for here. The rest is left to it, and can be interrupted.
	unix.Poll([]unix.PollFd{{Fd: int32(c.Fd()), Events: unix.POLLIN}}, soon)
	err := c.raw.Read(func(fd uintptr) bool {
		data, fds, got = receivePacket(int(fd))
		return !errors.Is(got, unix.EAGAIN)
	})
	if err = callError(ctx, errors.Join(err, got)); err != nil {
		return nil, fmt.Errorf("cannot receive answer: %w", err)
	}
	return decodeResponse(data, fds, resp)
}

// TryReceive is Receive for an event loop that waits for [Conn.Fd] itself:
// without an answer it fails with [ErrAgain].
func (c *Conn) TryReceive(resp *Response) ([]int, error) {
	data, fds, err := receivePacket(c.Fd())
	if errors.Is(err, unix.EAGAIN) {
		return nil, ErrAgain
	}
	if err = callError(context.Background(), err); err != nil {
		return nil, fmt.Errorf("cannot receive answer: %w", err)
	}
	return decodeResponse(data, fds, resp)
}

func decodeResponse(data []byte, fds []int, resp *Response) ([]int, error) {
	err := json.Unmarshal(data, resp)
	if err != nil {
		err = fmt.Errorf("cannot read answer: %w", err)
	} else if resp.Error != nil {
		err = resp.Error
	}
	if err != nil {
		CloseAll(fds)
		return nil, err
	}
	return fds, nil
}

// Fd is the connection's descriptor, for a caller that has to notice when
// the server goes away.
func (c *Conn) Fd() int {
	fd := -1
	c.raw.Control(func(f uintptr) { fd = int(f) })
	return fd
}

// Close ends the connection; an attached console is detached by it.
func (c *Conn) Close() error { return c.file.Close() }

// interruptible lets the end of ctx break a call; what it returns undoes it.
func (c *Conn) interruptible(ctx context.Context) func() {
	broken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.file.SetDeadline(time.Unix(1, 0))
		close(broken)
	})
	return func() {
		if stop() {
			return
		}
		<-broken
		c.file.SetDeadline(time.Time{})
	}
}

func callError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return contextError(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ENOTCONN):
		return ErrLost
	}
	return err
}

func contextError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}
