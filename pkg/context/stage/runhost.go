package stage

import (
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
)

const runHost = "run/host"

// runHost writes what the guest is told of its host: /run is a tmpfs that was
// mounted a moment ago, so nothing hostile is in it yet.
func (s *stage) runHost() error {
	if err := s.mkdir(runHost, 0o755); err != nil {
		return err
	}
	for _, f := range s.setup.HostFiles {
		path := runHost + "/" + f.Name
		var err error
		if f.Dir {
			err = s.mkdir(path, f.Mode)
		} else {
			err = s.write(path, f.Content, f.Mode)
		}
		if err != nil {
			return err
		}
	}
	return s.mkdir(runHost+"/unix-export", 0o755)
}

func (s *stage) mkdir(path string, mode uint32) error {
	if err := unix.Mkdirat(s.root, path, mode); err != nil {
		return &mounts.CallError{Call: "mkdirat", Path: "/" + path, Err: err}
	}
	return nil
}

func (s *stage) write(path, content string, mode uint32) error {
	fd, err := unix.Openat(s.root, path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return &mounts.CallError{Call: "openat", Path: "/" + path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(content)); err != nil {
		return &mounts.CallError{Call: "write", Path: "/" + path, Err: err}
	}
	return nil
}

// notify binds the socket that the guest's init reports its readiness to. Root
// in the guest may send; the credentials that come with a message are the
// kernel's. Source: sd_notify(3).
func (s *stage) notify() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return &mounts.CallError{Call: "socket", Path: "/" + runHost + "/notify", Err: err}
	}
	// The address is relative to the root's fd through the working directory: the
	// root isn't "/" yet.
	if err := unix.Fchdir(s.root); err != nil {
		return &mounts.CallError{Call: "fchdir", Path: "/", Err: err}
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: runHost + "/notify"}); err != nil {
		return &mounts.CallError{Call: "bind", Path: "/" + runHost + "/notify", Err: err}
	}
	if err := unix.Fchmodat(s.root, runHost+"/notify", 0o666, 0); err != nil {
		return &mounts.CallError{Call: "chmod", Path: "/" + runHost + "/notify", Err: err}
	}
	s.give(proto.FDNotify, fd)
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
}

// closeRunHost makes /run/host read-only after all is in it, but for
// /run/host/unix-export, where the guest may put sockets for the host: a small
// file system of its own over the read-only bind.
func (s *stage) closeRunHost() error {
	a := mounts.Applier{Root: s.root}
	if err := a.Apply(mounts.Op{Kind: mounts.KindReadonly, Target: runHost}); err != nil {
		return err
	}
	return a.Apply(mounts.Op{Kind: mounts.KindFS, FS: "tmpfs", Target: runHost + "/unix-export",
		Attr:    mounts.AttrNosuid | mounts.AttrNodev | mounts.AttrNoexec,
		Options: []mounts.Option{{Key: "mode", Value: "0755"}, {Key: "size", Value: "4m"}}})
}
