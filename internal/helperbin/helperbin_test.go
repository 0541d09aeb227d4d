package helperbin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExtract unpacks what the build has embedded; without a build there is nothing.
func TestExtract(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lib")
	path, err := Extract(dir, Helper)
	if _, none := fs.Stat(files, "bin/"+Helper+digest); none != nil {
		if !errors.Is(err, ErrNone) {
			t.Errorf("nothing is embedded, and Extract says %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if want := "sysct-helper-" + hex.EncodeToString(sum[:8]); filepath.Base(path) != want {
		t.Errorf("%s isn't named after its digest: %s", path, want)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o755 {
		t.Errorf("%s: %v, %v", path, st.Mode(), err)
	}
	if !strings.HasPrefix(string(data), "\x7fELF") {
		t.Errorf("%s is no program", path)
	}
}

// TestExtractTwice: what is there stays, and what is broken or strange is replaced.
func TestExtractTwice(t *testing.T) {
	dir := t.TempDir()
	path, err := Extract(dir, Helper)
	if errors.Is(err, ErrNone) {
		return // the test above holds that to be right
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Extract(dir, Helper); err != nil || again != path {
		t.Errorf("the second time: %s, %v", again, err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the second time it was written again (%v)", err)
	}
	for name, harm := range map[string]func() error{
		"cut short": func() error { return os.Truncate(path, 100) },
		"a link":    func() error { return errors.Join(os.Remove(path), os.Symlink("/bin/true", path)) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if _, err := Extract(dir, Helper); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() || st.Size() != before.Size() {
			t.Errorf("%s: it wasn't replaced (%v)", name, err)
		}
	}
}
