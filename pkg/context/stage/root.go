package stage

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/context/proto"
)

// leaveMounts keeps what is done to mounts from here on from the host: a mount namespace
// without a user namespace is a peer of the host's.
func (s *stage) leaveMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &mounts.CallError{Call: "mount", Path: "/", Err: err}
	}
	return nil
}

// attachRoot puts the guest's root over "/" of the inherited mount namespace,
// the one place that surely exists and can be reached by the guest's ids.
// Targets are from now on taken by the root's fd.
func (s *stage) attachRoot() error {
	root, ok := s.fds[proto.FDRoot]
	if !ok {
		return fmt.Errorf("no descriptor %q", proto.FDRoot)
	}
	s.root = root
	if s.setup.Place != "" {
		return place(root, s.setup.Place)
	}
	err := unix.MoveMount(root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return &mounts.CallError{Call: "move_mount", Path: "/", Err: err}
	}
	return nil
}

func (s *stage) mount() error {
	a := mounts.Applier{Root: s.root, FD: s.handedIn}
	defer a.Close()
	for _, op := range s.setup.Mounts {
		s.step = "mount /" + op.Target
		if err := a.Apply(op); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) handedIn(name string) (int, error) {
	fd, ok := s.fds[name]
	if !ok {
		return -1, fmt.Errorf("no descriptor %q", name)
	}
	delete(s.fds, name)
	return fd, nil
}

// pivot makes the guest's root the root and drops the host's tree. The mounts
// become shared, which systemd expects of its container manager.
func (s *stage) pivot() error {
	if err := unix.Fchdir(s.root); err != nil {
		return &mounts.CallError{Call: "fchdir", Path: "/", Err: err}
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return &mounts.CallError{Call: "pivot_root", Path: "/", Err: err}
	}
	// The old root now lies over the new one at ".": pivot_root(2), NOTES.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return &mounts.CallError{Call: "umount2", Path: "/", Err: err}
	}
	if err := unix.Chdir("/"); err != nil {
		return &mounts.CallError{Call: "chdir", Path: "/", Err: err}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return &mounts.CallError{Call: "mount", Path: "/", Err: err}
	}
	return nil
}
