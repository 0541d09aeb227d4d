package fuse

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrGone says that the file system is there no more: its connection was aborted, or
// its last mount has gone.
var ErrGone = errors.New("the file system's connection has ended")

// Now is a moment by both clocks.
type Now struct {
	Mono time.Duration // CLOCK_MONOTONIC
	Wall int64         // nanoseconds since 1970
}

// Server answers what is asked over one connection. It is for one goroutine.
type Server struct {
	fd       int
	slot     []byte // a request, as the kernel wrote it; its length is 0: none
	tree     *tree
	uid, gid uint32
	now      func() Now
	began    int64 // what directories have for a time of change

	fixed   [entrySize]byte // the part of an answer that has a fixed form
	head    [outHeader]byte
	name    [256]byte // an entry of a listing
	list    []byte    // a listing, made when there is one
	scratch []byte    // a content that is being made
	iov     [2]unix.Iovec

	// Failpoint, in tests, is called between a request's receipt and its answer.
	Failpoint func()
}

// New makes a server for a descriptor of /dev/fuse, which has to be nonblocking and
// stays the caller's. slot is of [SlotSize], and to be in memory that a successor finds
// again if this process dies; it has to be locked in memory: a kill in the middle of
// a page fault would lose the request that was to be written there.
func New(fd int, slot []byte, t *Table, now func() Now) (*Server, error) {
	if len(slot) < SlotSize {
		return nil, fmt.Errorf("cannot serve files: a slot of %d bytes", len(slot))
	}
	tr, err := newTree(t, now)
	if err != nil {
		return nil, err
	}
	return &Server{fd: fd, slot: slot[:SlotSize], tree: tr, uid: t.UID, gid: t.GID, now: now, began: now().Wall, scratch: make([]byte, 0, 64)}, nil
}

// Resume goes on after another server of the same connection, which may have been killed
// at any time: it answers the request in the slot, and has the kernel send again what
// else was taken and not answered. resends: the kernel does so (Linux 6.9); if it
// doesn't, only what isn't in the slot may be lost.
func (s *Server) Resume() (resends bool, err error) {
	if err := s.answer(); err != nil {
		return false, err
	}
	err = s.tell(notifyResend, nil)
	if errors.Is(err, unix.EINVAL) {
		return false, nil
	}
	return err == nil, err
}

// Serve takes and answers requests, at most so many, until none is there. [ErrGone]: there
// will be none any more.
func (s *Server) Serve(most int) error {
	for range most {
		n, err := unix.Read(s.fd, s.slot)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR || err == unix.ENOENT: // ENOENT: who asked has gone meanwhile
			continue
		case err == unix.ENODEV || err == unix.ECONNABORTED:
			return ErrGone
		case err != nil:
			return fmt.Errorf("cannot read request: %w", err)
		}
		if n < inHeader {
			native.PutUint32(s.slot, 0)
			continue
		}
		if s.Failpoint != nil {
			s.Failpoint()
		}
		if err := s.answer(); err != nil {
			return err
		}
	}
	return nil
}

// answer answers the request in the slot, if there is one, and empties it.
func (s *Server) answer() error {
	r, ok := parse(s.slot)
	defer native.PutUint32(s.slot, 0)
	if !ok || r.silent() {
		return nil
	}
	clear(s.fixed[:])
	data, errno := s.handle(&r)
	return s.reply(r.unique, data, errno)
}

// handle finds the answer to a request.
func (s *Server) handle(r *request) (data []byte, errno unix.Errno) {
	switch r.op {
	case opInit:
		return s.fixedAnswer(s.begin(r))
	case opStatfs:
		return s.fixedAnswer(s.statfs())
	case opOpen, opFlush:
		return nil, unix.ENOSYS // the kernel doesn't ask again
	case opRelease, opReleasedir, opDestroy:
		return nil, 0
	case opIoctl:
		return nil, unix.ENOTTY
	}
	if changing(r.op) {
		return nil, unix.EROFS
	}
	p, ok := s.tree.get(r.node)
	if !ok {
		return nil, unix.ENOENT
	}
	switch r.op {
	case opLookup:
		return s.fixedAnswer(s.lookup(r, &p))
	case opGetattr:
		return s.fixedAnswer(s.getattr(&p))
	case opRead:
		return s.read(r, &p)
	case opOpendir:
		return s.fixedAnswer(openOut, 0)
	case opReaddir, opReaddirplus:
		if s.list == nil {
			s.list = make([]byte, 0, maxWrite)
		}
		if r.op == opReaddirplus {
			return s.readdir(r, &p, entrySize)
		}
		return s.readdir(r, &p, 0)
	case opReadlink:
		return nil, unix.EINVAL
	}
	return nil, unix.ENOSYS
}

func (s *Server) fixedAnswer(size int, errno unix.Errno) ([]byte, unix.Errno) {
	return s.fixed[:size], errno
}

// reply writes an answer. That nobody waits for it any more is no error.
func (s *Server) reply(unique uint64, data []byte, errno unix.Errno) error {
	if errno != 0 {
		data = nil
	}
	err := s.write(-int32(errno), unique, data)
	switch {
	case err == 0, err == unix.ENOENT, err == unix.EINVAL:
		// EINVAL: it doesn't fit what was asked, which the kernel has answered itself then.
		return nil
	case err == unix.ENODEV, err == unix.ECONNABORTED, err == unix.EPERM:
		return ErrGone
	}
	return fmt.Errorf("cannot answer request: %w", err)
}

// tell notifies the kernel of something.
func (s *Server) tell(what int32, data []byte) error {
	if err := s.write(what, 0, data); err != 0 {
		return fmt.Errorf("cannot notify the kernel: %w", err)
	}
	return nil
}

func (s *Server) write(code int32, unique uint64, data []byte) unix.Errno {
	native.PutUint32(s.head[:], uint32(outHeader+len(data)))
	native.PutUint32(s.head[4:], uint32(code))
	native.PutUint64(s.head[8:], unique)
	s.iov[0].Base = &s.head[0]
	s.iov[0].SetLen(outHeader)
	count := 1
	if len(data) > 0 {
		s.iov[1].Base = &data[0]
		s.iov[1].SetLen(len(data))
		count = 2
	}
	for {
		_, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(s.fd), uintptr(unsafe.Pointer(&s.iov)), uintptr(count))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Changed says that all contents may be others: the next who asks for one gets a new one.
// Only attributes are told to be old, not pages: to drop those the kernel would wait for
// readers, who may wait for this server.
func (s *Server) Changed() error {
	for i := range s.tree.counted {
		s.tree.counted[i].known = false
	}
	for i := range s.tree.nodes {
		f := s.tree.nodes[i].file
		if f == nil || !f.known {
			continue
		}
		f.made = -f.TTL
		var b [24]byte // fuse_notify_inval_inode_out: the node, from where, how much
		native.PutUint64(b[:], s.tree.nodes[i].number)
		native.PutUint64(b[8:], ^uint64(0)) // -1: no pages
		err := s.tell(notifyInvalInode, b[:])
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}
