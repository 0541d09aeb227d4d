package guest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest"
)

// failing builds, once, the command with failpoints.
var failing = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(helper), "sysct")
	return path, testprograms.Build(path, "sysct", "failpoints")
})

// killed runs a verb that is killed before one of its steps.
func (in *instance) killed(step string, args ...string) {
	in.t.Helper()
	out, err := in.verb("kill:"+step, args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		in.t.Fatalf("%q wasn't killed before %q: %v\n%s", args, step, err, out)
	}
}

// verb runs the command with a failpoint.
func (in *instance) verb(failpoint string, args ...string) (string, error) {
	in.t.Helper()
	path, err := failing()
	if err != nil {
		in.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = in.env(failpoint)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// env is the command's environment, with a failpoint.
func (in *instance) env(failpoint string) []string {
	return append(os.Environ(), "SYSCT_FAILPOINT="+failpoint, "SYSCT_STATE_DIR="+in.dirs.State,
		"SYSCT_RUN_DIR="+in.dirs.Run, "SYSCT_LOG_DIR="+in.dirs.Log, "SYSCT_CACHE_DIR="+in.dirs.Cache, "SYSCT_NETWORK=none")
}

// names are the guests.
func (in *instance) names() string {
	in.t.Helper()
	names, err := in.Names()
	if err != nil {
		in.t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// collected has gc remove what is left, and looks that nothing is found after it.
func (in *instance) collected() {
	t := in.t
	t.Helper()
	ctx := context.Background()
	if _, err := in.GC(ctx, guest.GCOptions{}); err != nil {
		t.Errorf("gc: %v", err)
	}
	if lines, err := in.GC(ctx, guest.GCOptions{DryRun: true}); err != nil || len(lines) > 0 {
		t.Errorf("gc finds after a gc: %q %v", lines, err)
	}
	entries, _ := os.ReadDir(in.dirs.State)
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".") && name != ".layers" && name != ".log" {
			t.Errorf("gc leaves %s", name)
		}
	}
}

// content is a digest of a guest's tree but for some files: what root on the host sees of it.
func (in *instance) content(name string, without ...string) string {
	in.t.Helper()
	var b strings.Builder
	root := in.Rootfs(name)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(path, root)
		for _, w := range without {
			if rel == w {
				return nil
			}
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%q %o %d:%d %d", rel, st.Mode, st.Uid, st.Gid, st.Rdev)
		switch {
		case e.Type().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(data))
		case e.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", target)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return b.String()
}

// same compares two contents.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s differs; new:\n%smissing:\n%s", what, without(got, want), without(want, got))
	}
}
