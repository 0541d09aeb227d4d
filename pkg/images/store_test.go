package images

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/images/confine"
)

// testStore is a store whose builds run with ids of this process alone, so that they can be found, and find the tools in path.
func testStore(t *testing.T, path string) *Store {
	t.Helper()
	return &Store{Dir: filepath.Join(t.TempDir(), "images"), IDBase: 0x71000000 + uint32(os.Getpid()%2000)<<16, Path: path}
}

// tool makes a directory with an mmdebstrap that is this script. It can't be in /tmp, which a build has of its own.
func tool(t *testing.T, script string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sysct-images-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "mmdebstrap"), "#!/bin/sh\n"+script, 0o755)
	return dir
}

// entriesOf lists a store.
func entriesOf(t *testing.T, s *Store) []string {
	t.Helper()
	names, err := s.entries()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func busyboxRecipe(t *testing.T) *Recipe {
	t.Helper()
	template, err := Find(nil, "busybox")
	if err != nil {
		t.Fatal(err)
	}
	r, err := template.Recipe(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A tool that makes just enough of a system for the template's own steps.
const smallSystem = `cd /tmp/tree && mkdir -p etc/apt/apt.conf.d && echo root:x: > etc/shadow && echo x > etc/apt/sources.list &&
echo x > etc/apt/apt.conf.d/99mmdebstrap && printf 'ID=small\nPRETTY_NAME="Small one"\n' > etc/os-release && chown -h 5:6 etc/os-release`

func TestEnsure(t *testing.T) {
	s, r := testStore(t, tool(t, smallSystem)), debianRecipe(t, testHost(t), "--allow-expired")
	var progress, log bytes.Buffer
	image, err := s.Ensure(t.Context(), r, &progress, &log)
	if err != nil {
		t.Fatal(err)
	}
	if image.Key != r.Key() || image.Template != "debian" || image.Release != "trixie" || image.OS["PRETTY_NAME"] != "Small one" || image.Size == 0 {
		t.Errorf("image %+v", image)
	}
	if got := entriesOf(t, s); !slices.Equal(got, []string{r.Key(), r.Key() + ".lock"}) {
		t.Errorf("store has %q", got)
	}
	for name, want := range map[string]string{
		"etc/apt/sources.list.d/debian.sources": aptSources(r), "etc/apt/keyrings/mirror-1.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
		"etc/apt/apt.conf.d/90allow-expired": "Acquire::Check-Valid-Until \"false\";\n", "etc/machine-id": "", "etc/shadow": "root:*:\n",
	} {
		if data, err := os.ReadFile(filepath.Join(image.RootFS, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"etc/apt/sources.list", "etc/apt/apt.conf.d/99mmdebstrap"} {
		if exists(filepath.Join(image.RootFS, name)) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, dir := range []string{s.Dir, filepath.Dir(image.RootFS)} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	stage := progress.String()
	again, err := s.Ensure(t.Context(), r, &progress, &log)
	if err != nil || !again.CreatedAt.Equal(image.CreatedAt) || progress.String() != stage {
		t.Errorf("second time: %+v, %v, progress %q", again, err, progress.String())
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0].Key != r.Key() || all[0].Args["allow-expired"] != "true" {
		t.Errorf("list %+v, %v", all, err)
	}
}

func TestFailedBuilds(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"tool fails":    {"echo I: on the way; echo E: no space; exit 3", "mmdebstrap: exit status 3\n    I: on the way\n    E: no space"},
		"expired":       {"echo 'E: Release file for http://x is expired (invalid since 1d)'; exit 1", "\nhint: the mirror's release file is out of date: add --allow-expired"},
		"idle":          {"(setsid sleep 1000 &); echo here; sleep 1000", confine.ErrIdle.Error() + "\n    here"},
		"empty tree":    {"exit 0", "/etc/shadow"},
		"hostile tree":  {"cd /tmp/tree && ln -s /proc etc", "cannot"},
		"reads a stdin": {"read x || exit 9", "exit status 9"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := testStore(t, tool(t, c.script)), debianRecipe(t, testHost(t))
			s.Idle = time.Second
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

// Of several who want an image one builds it.
func TestEnsureAtOnce(t *testing.T) {
	s, r := testStore(t, tool(t, "sleep 0.5; "+smallSystem)), debianRecipe(t, testHost(t))
	var wait sync.WaitGroup
	progress := make([]bytes.Buffer, 4)
	for i := range progress {
		wait.Go(func() {
			image, err := s.Ensure(t.Context(), r, &progress[i], nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := image.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	built, waited := 0, 0
	for i := range progress {
		built += strings.Count(progress[i].String(), "built debian")
		waited += strings.Count(progress[i].String(), "waiting for another build")
	}
	if built != 1 || waited != 3 {
		t.Errorf("built %d times, %d waited", built, waited)
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
	var left []string
	for range 100 {
		statuses, err := filepath.Glob("/proc/[0-9]*/status")
		if err != nil {
			t.Fatal(err)
		}
		left = nil
		for _, file := range statuses {
			if text, _ := os.ReadFile(file); strings.Contains(string(text), "\nUid:\t"+strconv.Itoa(int(s.idBase()))) {
				left = append(left, string(text))
			}
		}
		if left == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("still there: %s", left)
}

func TestGC(t *testing.T) {
	s, r := testStore(t, ""), busyboxRecipe(t)
	image, err := s.Ensure(t.Context(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := r.Key()
	for _, name := range []string{"old-1", ".old-2", "." + key} {
		if err := os.MkdirAll(filepath.Join(s.Dir, name, "rootfs"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(s.Dir, "gone-3.lock"), "", 0o600)
	put(t, filepath.Join(s.Dir, "NOT OURS"), "", 0o600)
	none := func(string) bool { return false }
	check := func(keep func(string) bool, want ...string) {
		t.Helper()
		removed, err := s.GC(keep, false)
		if err != nil || !slices.Equal(removed, want) {
			t.Errorf("removed %q, %v, want %q", removed, err, want)
		}
	}
	if removed, err := s.GC(none, true); err != nil || !slices.Equal(removed, []string{"old-1", ".old-2"}) {
		t.Errorf("would remove %q, %v", removed, err)
	}
	check(none, "old-1", ".old-2") // the image is in use, so its lock and what belongs to it is not looked at
	if err := s.Remove(key); !errors.Is(err, flock.ErrHeld) {
		t.Error(err)
	}
	if err := image.Close(); err != nil {
		t.Error(err)
	}
	check(func(k string) bool { return k == key }, "."+key)
	if got := entriesOf(t, s); !slices.Equal(got, []string{"NOT OURS", key, key + ".lock"}) {
		t.Errorf("store has %q", got)
	}
	check(none, key)
	if _, err := s.Open(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := s.Remove(key); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := s.Remove("../" + key); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got := entriesOf(t, s); !slices.Equal(got, []string{"NOT OURS"}) {
		t.Errorf("store has %q", got)
	}
}

// An image whose record is broken may have guests that lie on it: it is neither used nor built anew.
func TestBrokenImage(t *testing.T) {
	s, r := testStore(t, ""), busyboxRecipe(t)
	image, err := s.Ensure(t.Context(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	image.Close()
	file := filepath.Join(s.Dir, r.Key(), "image.json")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", strings.Replace(string(whole), `"version": 1`, `"version": 2`, 1), strings.Replace(string(whole), r.Key(), "other", 1)} {
		put(t, file, text, 0o600)
		if _, err := s.Ensure(t.Context(), r, nil, nil); err == nil || !strings.Contains(err.Error(), "cannot read image") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if !exists(image.RootFS) {
		t.Error("the tree is gone")
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("list %+v, %v", all, err)
	}
}
