package fuse

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"
)

// content is a file with what it last had.
type content struct {
	*File
	data    []byte        // what it has
	known   bool          // it was asked for before
	made    time.Duration // when it was rendered, monotonic
	changed int64         // what its time of change says, nanoseconds since 1970
}

// refresh renders the file anew if that was done longer than its TTL ago. A
// content that is the same keeps its time of change: the kernel's pages stay good. EIO: there
// is none, and never was.
func (s *Server) refresh(f *content) unix.Errno {
	t := s.now()
	if f.known && t.Mono-f.made < f.TTL {
		return 0
	}
	made := f.Render(s.scratch[:0])
	f.made = t.Mono
	if made == nil {
		if f.known {
			return 0
		}
		return unix.EIO
	}
	s.scratch = made
	if f.known && bytes.Equal(f.data, s.scratch) {
		return 0
	}
	f.known = true
	f.data = append(f.data[:0], s.scratch...)
	// A clock that was set back must not give the time that another content had.
	f.changed = max(t.Wall, f.changed+1)
	return 0
}

// content is what a file has, and when that was another.
func (s *Server) content(p *place) (data []byte, changed int64) {
	if p.file != nil {
		return p.file.data, p.file.changed
	}
	s.scratch = p.small.Render(s.scratch[:0], p.i, p.of.last)
	return s.scratch, p.of.changed
}
