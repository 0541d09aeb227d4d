package mend

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
)

// site is a guest's mount namespace, which this thread is in.
type site struct {
	self   int    // this thread's directory of the host's /proc
	root   int    // the guest's root directory
	fstype string // of the file systems that are to be replaced
	dev    string // number of the new one's device, as mountinfo has it
}

// mend replaces what is dead, and puts on what isn't there. A path that can't be mended
// doesn't keep the others from it; done again, it does what is left.
func (s *site) mend(ops []mounts.Op) error {
	applier := mounts.Applier{Root: s.root, Place: s.place, FD: func(string) (int, error) {
		return unix.FcntlInt(MountFD, unix.F_DUPFD_CLOEXEC, 0)
	}}
	var failed []error
	for _, op := range ops {
		if err := applier.Apply(op); err != nil {
			failed = append(failed, err)
			if op.Target == mounts.ViewRoot {
				break // the others come from there
			}
		}
	}
	return errors.Join(failed...)
}

// place puts a new mount where a dead one is, so that nobody sees what lies under both of
// them. Kernels before 6.5 can put nothing beneath another: there it comes right after.
func (s *site) place(op mounts.Op, mount, target int) error {
	what, err := s.at(op.Target, target)
	switch {
	case err != nil || what == isNew || what == isOther:
		return err
	case what == isDead:
		err := mounts.AttachBeneath(mount, target)
		if err == nil {
			return s.takeOff(op.Target)
		}
		if err := s.takeOff(op.Target); err != nil {
			return err
		}
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
		if target, err = unix.Openat2(s.root, op.Target, &how); err != nil {
			return fmt.Errorf("openat2 /%s: %w", op.Target, err)
		}
		defer unix.Close(target)
	}
	if err := mounts.Attach(mount, target); err != nil {
		return fmt.Errorf("move_mount /%s: %w", op.Target, err)
	}
	return nil
}

// takeOff takes the uppermost mount off a path. Whatever that leads to is the guest's.
func (s *site) takeOff(path string) error {
	if err := unix.Unmount("/"+path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("umount2 /%s: %w", path, err)
	}
	return nil
}

// What a path leads to.
type kind int

const (
	isBare  kind = iota // no mount of its own
	isDead              // a file system whose connection has ended
	isNew               // the new one
	isOther             // a mount of the guest's own, which stays
)

// at says what the path leads to that target is open by.
func (s *site) at(path string, target int) (kind, error) {
	var st unix.Statx_t
	if err := statx(target, &st); err != nil {
		return isBare, err
	}
	list, err := s.mountinfo()
	if err != nil {
		return isBare, err
	}
	return kindOf(list, st.Mnt_id, "/"+path, s.fstype, s.dev), nil
}

// kindOf looks a mount up in a list of proc_pid_mountinfo(5).
func kindOf(mountinfo string, id uint64, path, fstype, dev string) kind {
	for line := range strings.Lines(mountinfo) {
		mount, super, _ := strings.Cut(line, " - ")
		m, s := strings.Fields(mount), strings.Fields(super)
		if len(m) < 5 || len(s) < 1 || m[0] != strconv.FormatUint(id, 10) {
			continue
		}
		switch {
		case m[4] != path:
			return isBare
		case m[2] == dev:
			return isNew
		case s[0] == fstype:
			return isDead
		}
		return isOther
	}
	return isBare
}

// mountinfo is the list of the mounts of this thread's namespace.
func (s *site) mountinfo() (string, error) {
	fd, err := unix.Openat(s.self, "mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open mountinfo: %w", err)
	}
	f := os.NewFile(uintptr(fd), "mountinfo")
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}
