package fuse

import (
	"time"

	"golang.org/x/sys/unix"
)

// long is how long the kernel may take for granted what never changes.
const long = time.Hour

// putAttr writes fuse_attr of a node.
func (s *Server) putAttr(b []byte, p *place) {
	native.PutUint64(b, p.number)
	mode, links, changed := uint32(unix.S_IFDIR|0o555), uint32(2), s.began
	if !p.isDir() {
		var data []byte
		data, changed = s.content(p)
		mode, links = unix.S_IFREG|0o444, 1
		native.PutUint64(b[8:], uint64(len(data)))
		native.PutUint64(b[16:], (uint64(len(data))+511)/512)
	}
	for i := range 3 { // atime, mtime, ctime
		native.PutUint64(b[24+8*i:], uint64(changed/1e9))
		native.PutUint32(b[48+4*i:], uint32(changed%1e9))
	}
	native.PutUint32(b[60:], mode)
	native.PutUint32(b[64:], links)
	native.PutUint32(b[68:], s.uid)
	native.PutUint32(b[72:], s.gid)
	native.PutUint32(b[80:], 4096)
}

// validity is how long a node's attributes may be taken for granted.
func validity(p *place) time.Duration {
	switch {
	case p.file != nil:
		return p.file.TTL
	case p.of != nil:
		return brief
	}
	return long
}

// putEntry writes fuse_entry_out. Whether a numbered directory is there changes.
func (s *Server) putEntry(b []byte, p *place) {
	valid, stays := validity(p), long
	if p.file != nil {
		valid = 0 // it is rendered for who asks for its attributes, not for who comes by
	}
	if p.of != nil {
		stays = brief
	}
	native.PutUint64(b, p.number)
	native.PutUint64(b[16:], uint64(stays/time.Second))
	native.PutUint64(b[24:], uint64(valid/time.Second))
	native.PutUint32(b[32:], uint32(stays%time.Second))
	native.PutUint32(b[36:], uint32(valid%time.Second))
	s.putAttr(b[40:], p)
}

func (s *Server) lookup(r *request, dir *place) (size int, errno unix.Errno) {
	name, ok := r.name()
	if !ok {
		return 0, unix.EINVAL
	}
	if !dir.isDir() {
		return 0, unix.ENOTDIR
	}
	b := s.fixed[:entrySize]
	p, ok := s.tree.get(s.tree.lookup(dir, name))
	if !ok {
		// Not an error, but an entry without a node, so that the kernel remembers it.
		native.PutUint32(b[32:], uint32(brief))
		return entrySize, 0
	}
	s.putEntry(b, &p)
	return entrySize, 0
}

func (s *Server) getattr(p *place) (size int, errno unix.Errno) {
	if p.file != nil {
		if errno := s.refresh(p.file); errno != 0 {
			return 0, errno
		}
	}
	b := s.fixed[:16+attrSize]
	valid := validity(p)
	native.PutUint64(b, uint64(valid/time.Second))
	native.PutUint32(b[8:], uint32(valid%time.Second))
	s.putAttr(b[16:], p)
	return len(b), 0
}

// read gives a part of a file. It stays the content that the attributes were told of, so
// that parts fit together; who goes past the page cache gets a new one at the beginning.
func (s *Server) read(r *request, p *place) (data []byte, errno unix.Errno) {
	offset, size, flags, ok := r.span()
	switch {
	case !ok:
		return nil, unix.EINVAL
	case p.isDir():
		return nil, unix.EISDIR
	}
	if p.file != nil && (!p.file.known || flags&unix.O_DIRECT != 0 && offset == 0) {
		if errno := s.refresh(p.file); errno != 0 {
			return nil, errno
		}
	}
	data, _ = s.content(p)
	if offset >= uint64(len(data)) {
		return nil, 0
	}
	data = data[offset:]
	return data[:min(uint64(len(data)), uint64(size))], 0
}

// readdir lists a directory. An entry's offset is that of the one after it. With plus each has
// before it what a LOOKUP of it would give (fuse_direntplus): then none follows.
func (s *Server) readdir(r *request, dir *place, plus int) (data []byte, errno unix.Errno) {
	offset, size, _, ok := r.span()
	switch {
	case !ok:
		return nil, unix.EINVAL
	case !dir.isDir():
		return nil, unix.ENOTDIR
	}
	b := s.list[:0]
	for i := offset; ; i++ {
		number, name, isDir, ok := s.tree.entry(dir, i, s.name[:])
		whole := plus + (direntLen+len(name)+7)&^7
		if !ok || len(b)+whole > min(int(min(size, maxWrite)), cap(b)) {
			return b, 0
		}
		e := b[len(b) : len(b)+whole]
		clear(e)
		if p, ok := s.tree.get(number); ok && plus > 0 {
			s.putEntry(e, &p)
		}
		e = e[plus:]
		native.PutUint64(e, number)
		native.PutUint64(e[8:], i+1)
		native.PutUint32(e[16:], uint32(len(name)))
		kind := uint32(unix.DT_REG)
		if isDir {
			kind = unix.DT_DIR
		}
		native.PutUint32(e[20:], kind)
		copy(e[direntLen:], name)
		b = b[:len(b)+whole]
	}
}

// begin answers FUSE_INIT: what both ends are capable of. A kernel of another major
// version sends it again, for the one that it was told.
func (s *Server) begin(r *request) (size int, errno unix.Errno) {
	const major, minor = 7, 38
	if len(r.body) < initIn || native.Uint32(r.body) < major {
		return 0, unix.EPROTO
	}
	flags, flags2 := native.Uint32(r.body[12:]), uint32(0)
	if len(r.body) >= initExtIn && flags&initExt != 0 {
		flags2 = native.Uint32(r.body[16:])
	}
	b := s.fixed[:initOut]
	native.PutUint32(b, major)
	native.PutUint32(b[4:], minor)
	native.PutUint32(b[8:], 64<<10) // readahead
	native.PutUint32(b[12:], flags&(initAsyncRead|initAutoInvalData|initReaddirplus|initParallelDirs|initExt))
	native.PutUint16(b[16:], 12) // requests in the background, and when these are too many: the kernel's own
	native.PutUint16(b[18:], 9)
	native.PutUint32(b[20:], maxWrite)
	native.PutUint32(b[24:], 1) // granularity of times, ns
	native.PutUint32(b[32:], flags2&init2HasResend)
	return initOut, 0
}

func (s *Server) statfs() (size int, errno unix.Errno) {
	b := s.fixed[:statfsOut]
	native.PutUint32(b[40:], 4096) // bsize
	native.PutUint32(b[44:], 255)  // namelen
	native.PutUint32(b[48:], 4096) // frsize
	return statfsOut, 0
}
