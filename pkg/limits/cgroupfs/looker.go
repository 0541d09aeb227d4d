package cgroupfs

import (
	"io/fs"
	"maps"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// looker reads the files of one guest. Its groups are opened when the first file of each
// is wanted: a walk to a file from the mount costs more than the file.
type looker struct {
	name string
	room *int // how many more files may stay open
	buf  *buffer
	has  string // the controllers that its v2 group had when it was last looked at
	v2   glance
	v1   []*glance
}

// buffer has what one read gives, which is all of most of these files. All guests share
// one: a fresh one for each file would cost more than the file.
type buffer [4096]byte

func (l *looker) look(all *bases, want limits.Want) (s limits.Sight, err error) {
	l.v2.room, l.v2.buf = l.room, l.buf
	if want != limits.WantNothing {
		l.newControllers()
	}
	text, err := l.v2.read("cgroup.events")
	if err != nil {
		return s, err
	}
	s.Populated, s.Frozen, err = limits.Events(text)
	if err != nil || want == limits.WantNothing || !s.Populated {
		return s, err
	}
	// An error is of a guest that ends just now: what was seen is still true.
	v1 := func(controller string) limits.ReadFunc { return l.reader(all.v1[controller]) }
	if stats, err := (limits.Files{V2: l.v2.read, V1: v1, PageSizes: all.pageSizes}).Read(want); err == nil {
		s.Stats = &stats
	}
	return s, nil
}

// newControllers has files looked for again that there weren't before the group got other
// controllers.
func (l *looker) newControllers() {
	if len(l.v2.kept) == 0 {
		return // nothing was looked for
	}
	if has, err := l.v2.read("cgroup.controllers"); err == nil && has != l.has {
		l.has = has
		maps.DeleteFunc(l.v2.kept, func(_ string, fd int) bool { return fd < 0 })
	}
}

// reader reads the guest's group in a v1 hierarchy; nil if base is.
func (l *looker) reader(base *dir) limits.ReadFunc {
	if base == nil {
		return nil
	}
	for _, g := range l.v1 {
		if g.hierarchy == base.path {
			return g.read
		}
	}
	g := &glance{room: l.room, buf: l.buf}
	if err := g.openPath(base, l.name); err != nil {
		return func(string) (string, error) { return "", err }
	}
	l.v1 = append(l.v1, g)
	return g.read
}

func (l *looker) close() {
	l.v2.close()
	for _, g := range l.v1 {
		g.close()
	}
}

// glance is a group that is open for the reading of some of its files.
type glance struct {
	hierarchy, path string // where it is, for messages
	fd              int    // 0: not open
	room            *int
	kept            map[string]int // files that stay open; -1 is one that there isn't
	buf             *buffer
}

// openPath opens a group some levels down, all of them root's own. No link is followed.
func (g *glance) openPath(base *dir, path string) error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	err := again(func() (err error) { g.fd, err = unix.Openat2(base.fd, path, &how); return err })
	if err != nil {
		g.fd = 0
		return base.fail("open", path, err)
	}
	g.hierarchy, g.path = base.path, path
	return nil
}

func (g *glance) close() {
	for _, fd := range g.kept {
		if fd >= 0 {
			unix.Close(fd)
			*g.room++
		}
	}
	if g.fd > 0 {
		unix.Close(g.fd)
	}
	*g = glance{}
}

// read reads a file of the group.
func (g *glance) read(name string) (string, error) {
	fd, open := g.kept[name]
	if !open {
		var err error
		if fd, err = openat(g.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC); err != nil && err != unix.ENOENT {
			return "", g.fail("open", name, err)
		}
		if !g.keep(name, fd) {
			defer unix.Close(fd)
		}
	}
	if fd < 0 {
		return "", fs.ErrNotExist
	}
	if g.buf == nil {
		g.buf = new(buffer)
	}
	buf := g.buf
	var n int
	err := again(func() (err error) { n, err = unix.Pread(fd, buf[:], 0); return err })
	if err != nil {
		return "", g.fail("read", name, err)
	}
	if n < len(buf) {
		return string(buf[:n]), nil
	}
	rest, err := readFrom(fd, int64(n))
	if err != nil {
		return "", g.fail("read", name, err)
	}
	return string(buf[:]) + rest, nil
}

// keep says whether the file stays open.
func (g *glance) keep(name string, fd int) bool {
	if g.room == nil || *g.room <= 0 {
		return fd < 0 // nothing to be closed
	}
	if g.kept == nil {
		g.kept = map[string]int{}
	}
	g.kept[name] = fd
	if fd >= 0 {
		*g.room--
	}
	return true
}

func (g *glance) fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: g.hierarchy + "/" + g.path + "/" + name, Err: err}
}

// readFrom reads the rest of a long file.
func readFrom(fd int, at int64) (string, error) {
	var text []byte
	buf := make([]byte, 64<<10)
	for {
		var n int
		err := again(func() (err error) { n, err = unix.Pread(fd, buf, at); return err })
		if err != nil || n == 0 {
			return string(text), err
		}
		text, at = append(text, buf[:n]...), at+int64(n)
	}
}

// below reads one file of a group some levels down.
func (d *dir) below(group, name string) (string, error) {
	var g glance
	defer g.close()
	if err := g.openPath(d, group); err != nil {
		return "", err
	}
	return g.read(name)
}
