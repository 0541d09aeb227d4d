package console

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	defaultLogSize  = 1 << 20
	defaultLogFiles = 4
	logRetry        = time.Second
	// How often a file that somebody removed or moved away is looked for.
	logCheck = time.Second
)

// LogOptions bound a log. Zero values are the defaults.
type LogOptions struct {
	Size  int64 // bytes a file, 1 MiB
	Files int   // files in all, 4: NAME, NAME.1, NAME.2, NAME.3
}

// Log appends to a file in a directory and rotates it by size. It never fails its
// caller: what can't be written (a full disk, a missing directory) is counted,
// tried again a second later, and told of in the file once it can be. It doesn't
// wait for space; a file system that is frozen makes it wait, as any writer.
type Log struct {
	dir   int
	name  string
	size  int64
	files int

	fd    int // -1: not open
	used  int64
	retry time.Time // not before; zero: no failure
	check time.Time
	lost  uint64 // since the last notice
	total uint64
	err   error
	note  func(n int, size int64) // told of n bytes dealt with, and the file's size; nil: nobody
}

// NewLog prepares the log called name in the directory dir, which it duplicates.
// The file is opened by the first write, and continued if it is there already.
func NewLog(dir int, name string, o LogOptions) (*Log, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return nil, fmt.Errorf("cannot make a log called %q: not a file name", name)
	}
	fd, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot make log %s: %w", name, os.NewSyscallError("fcntl", err))
	}
	l := &Log{dir: fd, name: name, size: o.Size, files: o.Files, fd: -1}
	if l.size <= 0 {
		l.size = defaultLogSize
	}
	if l.files <= 0 {
		l.files = defaultLogFiles
	}
	return l, nil
}

// Lost is how many bytes could not be written since the log was made.
func (l *Log) Lost() uint64 { return l.total }

// Err is the reason of the failure that lasts, nil if the last write went well.
func (l *Log) Err() error { return l.err }

// Write appends p, or counts it as lost.
func (l *Log) Write(now time.Time, p []byte) {
	if now.Before(l.retry) {
		l.miss(len(p))
		return
	}
	n, err := l.append(now, p)
	if err == nil {
		l.err, l.retry = nil, time.Time{}
		return
	}
	l.err = fmt.Errorf("cannot write log %s: %w", l.name, err)
	l.retry = now.Add(logRetry)
	l.miss(len(p) - n)
}

func (l *Log) miss(n int) {
	l.lost += uint64(n)
	l.total += uint64(n)
	l.tell(n)
}

func (l *Log) tell(n int) {
	if l.note != nil {
		l.note(n, l.used)
	}
}

// length is the size of the file that the next write appends to; 0: there is none yet.
func (l *Log) length() int64 {
	var st unix.Stat_t
	if unix.Fstatat(l.dir, l.name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return 0
	}
	return st.Size
}

// append says how many bytes of p are in the file now.
func (l *Log) append(now time.Time, p []byte) (int, error) {
	if !now.Before(l.check) {
		l.check = now.Add(logCheck)
		l.forgetMoved()
	}
	if l.fd < 0 {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	if l.lost > 0 {
		notice := fmt.Appendf(nil, "\r\n[sysct: %d bytes not logged: %v]\r\n", l.lost, reason(l.err))
		if n, err := l.put(notice, 0); err != nil {
			l.cut(int64(n))
			return 0, err
		}
		l.lost = 0
	}
	return l.put(p, 1)
}

// cut takes the last n bytes, a part of a notice, off the file again, so that a
// full disk doesn't fill with beginnings of notices. Failing does no harm.
func (l *Log) cut(n int64) {
	if l.fd >= 0 && n > 0 && n <= l.used && unix.Ftruncate(l.fd, l.used-n) == nil {
		l.used -= n
		l.tell(0)
	}
}

// put writes p across as many files as it needs; none grows beyond the size. Each byte
// counts for that many dealt with.
func (l *Log) put(p []byte, counts int) (int, error) {
	done := 0
	for done < len(p) {
		if l.used >= l.size {
			if err := l.rotate(); err != nil {
				return done, err
			}
		}
		room := min(int64(len(p)-done), l.size-l.used)
		n, err := unix.Write(l.fd, p[done:done+int(room)])
		if n > 0 {
			l.used += int64(n)
			done += n
			l.tell(n * counts)
		}
		if err != nil && err != unix.EINTR {
			return done, os.NewSyscallError("write", err)
		}
	}
	return done, nil
}

func (l *Log) open() error {
	// O_NONBLOCK: a FIFO in the place of the log must not hang the monitor.
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err := unix.Openat(l.dir, l.name, flags, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return errors.New("it is not a regular file")
	}
	l.fd, l.used = fd, st.Size
	l.tell(0)
	return nil
}

// forgetMoved closes a file that isn't reached by its name any more, so that the
// next write makes a new one.
func (l *Log) forgetMoved() {
	if l.fd < 0 {
		return
	}
	var open, named unix.Stat_t
	if unix.Fstat(l.fd, &open) != nil {
		return
	}
	err := unix.Fstatat(l.dir, l.name, &named, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && open.Ino == named.Ino && open.Dev == named.Dev {
		return
	}
	l.shut()
}

func (l *Log) shut() {
	if l.fd >= 0 {
		unix.Close(l.fd)
		l.fd = -1
	}
}

// Close closes the file and the directory.
func (l *Log) Close() error {
	l.shut()
	return unix.Close(l.dir)
}

// reason is the innermost cause, without the names around it.
func reason(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
