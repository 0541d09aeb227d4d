// Package helperbin carries the helper program inside the command line's binary,
// so that one file is a whole sysct. The build puts the helper into bin/ first;
// without it the package is empty and the helper is looked for beside the
// executable.
package helperbin

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/internal/atomicfile"
)

//go:embed all:bin
var files embed.FS

// The names of the embedded files: the program, and its digest, which the build
// makes so that no start has to.
const (
	program = "bin/sysct-helper"
	digest  = "bin/sysct-helper.sum"
)

// ErrNone means that the build had no helper to embed.
var ErrNone = errors.New("no helper is embedded")

// Extract gives the path of the embedded helper below dir, writing it if it isn't
// there yet. Its name has its digest, so that versions live side by side and
// running ones are never overwritten.
func Extract(dir string) (string, error) {
	sum, err := files.ReadFile(digest)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("cannot read embedded helper: %w", err)
	}
	path := filepath.Join(dir, "sysct-helper-"+strings.TrimSpace(string(sum)))
	info, err := fs.Stat(files, program)
	if err != nil {
		return "", fmt.Errorf("cannot read embedded helper: %w", err)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == info.Size() {
		return path, nil
	}
	data, err := files.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("cannot read embedded helper: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot extract helper: %w", err)
	}
	if err := atomicfile.WritePath(path, data, 0o755); err != nil {
		return "", fmt.Errorf("cannot extract helper: %w", err)
	}
	return path, nil
}
