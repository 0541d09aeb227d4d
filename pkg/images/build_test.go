package images

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/images/confine"
)

func TestFailedBuilds(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"tool fails": {"echo I: on the way; echo E: no space; exit 3", "mmdebstrap: exit status 3\n    I: on the way\n    E: no space"},
		"expired": {"echo 'E: Release file for http://x/InRelease is expired (invalid since 1d 2h). Updates'; echo E: more; exit 1",
			"http://x/InRelease has expired, 1d 2h ago (mmdebstrap: exit status 1)\nhint: add --allow-expired to the template's arguments"},
		"from the future": {"echo 'E: Release file for http://x/InRelease is not valid yet (invalid for another 9h).'; exit 1",
			"http://x/InRelease is not valid yet by this host's clock (mmdebstrap: exit status 1)\nhint: add --allow-expired"},
		"no package":        {"echo 'E: Unable to locate package vmi'; exit 100", `: debian trixie has no package "vmi" (mmdebstrap: exit status 100)`},
		"no init":           {"echo 'E: Unable to locate package systemd-sysv'; exit 100", `: debian trixie has no package "systemd-sysv", which init "systemd" needs (`},
		"no candidate":      {`echo "E: Package 'dbus' has no installation candidate"; exit 100`, `: debian trixie has no package "dbus", which init "systemd" needs (`},
		"none, debootstrap": {`echo "E: Couldn't find these debs: dbus systemd"; exit 1`, `: debian trixie has no package "dbus", which init "systemd" needs (`},
		"idle":              {"(setsid sleep 1000 &); echo here; sleep 1000", confine.ErrIdle.Error() + "\n    here"},
		"empty tree":        {"exit 0", "/etc/shadow"},
		"hostile tree":      {"cd /tmp/tree && ln -s /proc etc", "cannot"},
		"reads a stdin":     {"read x || exit 9", "exit status 9"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := testStore(t, tool(t, c.script)), debianRecipe(t, testHost(t))
			if name == "idle" {
				s.Idle = 3 * time.Second
			}
			_, err := s.Ensure(t.Context(), r, nil, nil)
			var failed *BuildError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot build debian trixie amd64: ") {
				t.Errorf("%v\nwant %s", err, c.want)
			}
			if got := entriesOf(t, s); !slices.Equal(got, []string{r.Key() + ".lock"}) {
				t.Errorf("store has %q", got)
			}
			noBuild(t, s)
		})
	}
}

func TestNoTool(t *testing.T) {
	s := testStore(t, t.TempDir())
	_, err := s.Ensure(t.Context(), debianRecipe(t, testHost(t)), nil, nil)
	want := "cannot build debian trixie amd64: mmdebstrap is not installed (apt-get install mmdebstrap)"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// debootstrap would take the first of alternatives, which is another init's.
func TestInitWithoutMmdebstrap(t *testing.T) {
	dir := tool(t, "exit 0")
	if err := os.Rename(filepath.Join(dir, "mmdebstrap"), filepath.Join(dir, "debootstrap")); err != nil {
		t.Fatal(err)
	}
	s := testStore(t, dir)
	_, err := s.Ensure(t.Context(), debianRecipe(t, testHost(t), "--init", "openrc"), nil, nil)
	want := `cannot build debian trixie amd64 openrc: debootstrap can't make a system with init "openrc" (apt-get install mmdebstrap)`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestCancel(t *testing.T) {
	s, r := testStore(t, tool(t, "echo I: downloading packages; sleep 1000")), debianRecipe(t, testHost(t))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Ensure(ctx, r, cancelOn{"downloading", cancel}, nil)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	if got := entriesOf(t, s); !slices.Equal(got, []string{r.Key() + ".lock"}) {
		t.Errorf("store has %q", got)
	}
	noBuild(t, s)
}

type cancelOn struct {
	text   string
	cancel func()
}

func (c cancelOn) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return len(p), nil
}

// killedDir makes this test's process the one that builds and is killed.
const killedDir = "SYSCT_TEST_KILLED_DIR"

// Nothing runs on when the program is killed, and the next one clears up.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		base, _ := strconv.ParseUint(os.Getenv(killedDir+"_BASE"), 10, 32)
		s := &Store{Dir: dir, IDBase: uint32(base), Path: os.Getenv(killedDir + "_PATH")}
		_, err := s.Ensure(t.Context(), debianRecipe(t, testHost(t)), os.Stdout, nil)
		t.Fatal("build has ended:", err)
	}
	s := testStore(t, tool(t, "(setsid sleep 1000 &) ; touch /tmp/tree/x; echo I: downloading packages; sleep 1000"))
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killedDir+"="+s.Dir, killedDir+"_PATH="+s.Path, killedDir+"_BASE="+strconv.Itoa(int(s.IDBase)),
		"TMPDIR="+t.TempDir()) // what it can't remove any more
	cmd.Stdout = cancelOn{"downloading", func() { cmd.Process.Kill() }}
	if err := cmd.Run(); err == nil || err.Error() != "signal: killed" {
		t.Fatal(err)
	}
	// The recipe differs by the test's own directories; of its key only the form is known.
	left := slices.DeleteFunc(entriesOf(t, s), func(name string) bool { return !strings.HasPrefix(name, ".debian-trixie-") })
	if len(left) != 1 {
		t.Fatalf("store has %q", entriesOf(t, s))
	}
	none := func(string) bool { return false }
	for _, dry := range []bool{true, false} {
		if removed, err := s.GC(none, dry); err != nil || !slices.Equal(removed, left) {
			t.Errorf("gc: %q, %v", removed, err)
		}
	}
	if got := entriesOf(t, s); len(got) != 0 {
		t.Errorf("store has %q", got)
	}
	noBuild(t, s)
}

// noBuild fails if a process of a build of the store lives. The kernel kills them all at once but buries them one by one.
func noBuild(t *testing.T, s *Store) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		statuses, err := filepath.Glob("/proc/[0-9]*/status")
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, file := range statuses {
			if text, _ := os.ReadFile(file); strings.Contains(string(text), "\nUid:\t"+strconv.Itoa(int(s.idBase()))) {
				left = append(left, string(text))
			}
		}
		if left == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still there: %s", left)
		}
	}
}
