package doctor

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/images/store"
)

// errUntried is in the error of what couldn't be tried: what it takes isn't there.
var errUntried = errors.New("not tried")

// trials tries each thing once, when it is first asked for.
type trials struct {
	dirs    Dirs
	child   *child
	results map[Trial]error
}

func newTrials(dirs Dirs) *trials { return &trials{dirs: dirs, results: map[Trial]error{}} }

func (t *trials) try(trial Trial) error {
	err, known := t.results[trial]
	if !known {
		err = t.now(trial)
		t.results[trial] = err
	}
	return err
}

func (t *trials) close() {
	if t.child != nil {
		t.child.end()
	}
}

// now tries it.
func (t *trials) now(trial Trial) error {
	if flag, ok := threadNamespaces()[trial]; ok {
		return onThread(func() error { return unix.Unshare(flag) })
	}
	switch trial {
	case TryMountAPI:
		return tryMountAPI()
	case TryOpenat2:
		return tryOpenat2()
	case TrySeccomp:
		return trySeccomp()
	case TryFUSE:
		return tryFUSE()
	case TryResend:
		return onThread(tryResend)
	case TryOverlay, TryReflink.On(t.dirs.State):
		return t.inState(trial)
	}
	if t.child == nil {
		t.child = newChild()
	}
	for _, dir := range []string{t.dirs.State, t.dirs.Cache} {
		if trial == TryIDMap.On(dir) {
			return t.child.tryIDMap(existing(dir))
		}
	}
	return t.child.try(trial)
}

// inState is for what is tried in the state directory itself.
func (t *trials) inState(trial Trial) error {
	if existing(t.dirs.State) != t.dirs.State {
		return fmt.Errorf("%w: the state directory isn't there yet", errUntried)
	}
	if trial == TryOverlay {
		return store.TryOverlay(t.dirs.State)
	}
	return store.TryReflink(t.dirs.State)
}

// threadNamespaces are those that a thread can make for itself, or its children.
func threadNamespaces() map[Trial]int {
	return map[Trial]int{
		TryMount: unix.CLONE_NEWNS | unix.CLONE_FS, TryPid: unix.CLONE_NEWPID, TryUTS: unix.CLONE_NEWUTS, TryIPC: unix.CLONE_NEWIPC,
		TryNet: unix.CLONE_NEWNET, TryCgroup: unix.CLONE_NEWCGROUP, TryTime: unix.CLONE_NEWTIME,
	}
}

// onThread does something on a thread that ends with it, and the namespaces that
// it made with the thread.
func onThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is spoilt
		if unix.Gettid() != unix.Getpid() {
			done <- do()
			return
		}
		// The main thread can't end: while it is kept here, another one does it.
		defer runtime.UnlockOSThread()
		done <- onThread(do)
	}()
	return <-done
}

// tryMountAPI makes a tmpfs that is mounted nowhere.
func tryMountAPI() error {
	ctx, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(ctx)
	if err := unix.FsconfigCreate(ctx); err != nil {
		return os.NewSyscallError("fsconfig", err)
	}
	fd, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fsmount", err)
	}
	defer unix.Close(fd)
	tree, err := unix.OpenTree(fd, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("open_tree", err)
	}
	return unix.Close(tree)
}

func tryOpenat2() error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, "proc", &how)
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	return unix.Close(fd)
}

// trySeccomp gives no filter: a kernel that knows filters reads it and fails with
// EFAULT, another says EINVAL.
func trySeccomp() error {
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil
	}
	if err == nil {
		err = errors.New("it takes no filter for one")
	}
	return fmt.Errorf("prctl: %w", err)
}
