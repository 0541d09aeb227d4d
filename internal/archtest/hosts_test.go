package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// addresses finds the hosts of web addresses.
var addresses = regexp.MustCompile(`https?://([A-Za-z0-9.-]+)`)

// known tells whether the project may name a host: what documents refer to, and the
// names that are reserved for examples. Where packages come from is the host's own
// business: its apt sources, or the bootstrap tool's default.
func known(host string) bool {
	documents := []string{"github.com", "keepachangelog.com", "semver.org", "www.apache.org", "www.debian.org", "systemd.io", "docs.kernel.org", "man7.org"}
	return slices.Contains(documents, host) || !strings.Contains(host, ".") || strings.HasSuffix(host, ".example") ||
		strings.HasPrefix(host, "127.")
}

func TestNoMirrorIsNamed(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		files++
		for _, found := range addresses.FindAllSubmatch(text, -1) {
			if !known(string(found[1])) {
				t.Errorf("%s names the host %s", path, found[1])
			}
		}
		return err
	})
	if err != nil || files < 50 {
		t.Fatalf("%d files read, %v", files, err)
	}
}
