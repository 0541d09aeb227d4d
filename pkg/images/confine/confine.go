// Package confine runs a bootstrap program of the host, as mmdebstrap, on a tree that it may fill, and lets it do nothing else:
// the program is root in a user namespace of its own, in which only the tree carries ids that it owns.
//
// The tree is attached by an idmapped mount, so that what the program writes has the guest's own ids on disk, and file
// capabilities and extended attributes as the guest is to see them. Everything else of the host is read-only to it and owned by
// nobody. The network is the host's, because packages are fetched: with it come abstract sockets.
//
// It is not for guests: it has no seccomp filter, no cgroup, and no devices of its own.
package confine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Where the program finds the tree that it fills, and the files that it needs to have.
const (
	Tree  = "/tmp/tree"
	Files = "/tmp/files"
)

// idCount is how many ids the program's user namespace has: what Debian's policy needs, nobody included.
const idCount = 65536

// ErrIdle is returned by Run if the program was killed because it had written nothing for Command.Idle.
var ErrIdle = errors.New("no output for too long")

// Command is one run of a program.
type Command struct {
	Args   []string          // program and arguments; the program is found in Env's PATH by the caller
	Env    []string          // the whole environment
	Dir    *os.File          // the directory that the program fills; nobody else writes to it meanwhile
	IDBase uint32            // first of the 65,536 host ids that the program runs with
	Files  map[string][]byte // content of files in Files
	Idle   time.Duration     // kill it after so long without output; 0 is never
	Output io.Writer         // gets stdout and stderr, in one stream
}

// Run runs the command and waits for it. However it ends, no process of it is left: the program is the init of a pid namespace,
// and is killed when ctx ends, when it is idle, and when this process dies. An *exec.ExitError comes from a program that failed.
func Run(ctx context.Context, c *Command) error {
	return onThread(func() error { return c.run(ctx) })
}

// onThread calls f on a thread that ends with it, because f joins namespaces that nothing else may run in. The thread must live
// as long as a child that is killed with its parent: Pdeathsig means the thread, not the process.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, so the runtime ends the thread
		if unix.Gettid() == unix.Getpid() {
			// All but the main thread, which can't end, and whose namespaces /proc/self shows: it waits here for another.
			defer runtime.UnlockOSThread()
			result <- onThread(f)
			return
		}
		result <- f()
	}()
	return <-result
}

func (c *Command) run(ctx context.Context) error {
	tree, err := mapTree(c.Dir, c.IDBase)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := enter(tree); err != nil {
		return err
	}
	if err := writeFiles(c.Files); err != nil {
		return fmt.Errorf("cannot write files for the build: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newWatchdog(c.Output, c.Idle, func() { cancel(ErrIdle) })
	defer watch.stop()
	args := inNewRoot(c.Args)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir = c.Env, "/"
	cmd.Stdout, cmd.Stderr = watch, watch // one writer: os/exec uses one pipe
	cmd.SysProcAttr = attr(c.IDBase)
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	return nil
}

// enter takes the calling thread into a mount namespace in which the program is to run. It can't be left again.
func enter(tree int) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC); err != nil {
		return fmt.Errorf("cannot make namespaces for the build: %w", err)
	}
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"cut off mount propagation", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"let go of guests' mounts", dropGuests},
		{"make the host read-only", readOnlyHost},
		{"mount /tmp", func() error {
			return unix.Mount("tmp", "/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=50%")
		}},
		{"set the umask", func() error { unix.Umask(0o022); return nil }},
		{"make " + Tree, func() error { return unix.Mkdir(Tree, 0o755) }},
		{"attach " + Tree, func() error { return unix.MoveMount(tree, "", unix.AT_FDCWD, Tree, unix.MOVE_MOUNT_F_EMPTY_PATH) }},
		// Maintainer scripts put the host name into what they generate.
		{"make " + newRoot, makeNewRoot},
		{"set the host name", func() error { return unix.Sethostname([]byte("localhost")) }},
	} {
		if err := s.do(); err != nil {
			return fmt.Errorf("cannot %s for the build: %w", s.name, err)
		}
	}
	return nil
}

// readOnlyHost makes each mount read-only, in the thread's own mount namespace. /proc stays as it is: the kernel refuses a new
// proc mount in a user namespace (debootstrap makes a writable one) where the visible one is read-only, and files of proc are
// protected by their owner, the host's root.
func readOnlyHost() error {
	ro := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &ro); err != nil {
		return err
	}
	rw := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	return unix.MountSetattr(unix.AT_FDCWD, "/proc", 0, &rw)
}

func writeFiles(files map[string][]byte) error {
	if err := unix.Mkdir(Files, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(Files, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
