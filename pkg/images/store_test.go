package images

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sysct/sysct/internal/flock"
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
		"etc/machine-id": "", "etc/.updated": "", "etc/shadow": "root:*:\n",
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
	// What the build accepts is not what the guest does.
	if found, _ := filepath.Glob(filepath.Join(image.RootFS, "etc/apt/apt.conf.d/*")); len(found) > 0 {
		t.Errorf("the guest's apt is configured with %q", found)
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
	if err := s.Remove(key, none); !errors.Is(err, flock.ErrHeld) {
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
	if err := s.Remove(key, none); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := s.Remove("../"+key, none); err == nil || errors.Is(err, fs.ErrNotExist) {
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
