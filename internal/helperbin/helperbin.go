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

	"golang.org/x/sys/unix"

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
	if err := checkOwner(dir); err != nil {
		return "", err
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == info.Size() {
		return path, checkOwner(path)
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

// checkOwner refuses what others than root can change: the helper runs as root.
// What isn't there yet is fine.
func checkOwner(path string) error {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot check %s: %w", path, err)
	}
	if st.Uid != uint32(os.Geteuid()) || st.Mode&0o022 != 0 {
		return fmt.Errorf("cannot use %s: others than root may write to it", path)
	}
	return nil
}
