// Package helperbin carries the helper programs inside the command line's binary,
// so that one file is a whole sysct. The build puts them into bin/ first;
// without them the package is empty and they are looked for beside the
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

// The programs that are embedded, each beside its digest, which the build makes so that no
// start has to.
const (
	Helper = "sysct-helper" // monitor, holder and stage
	Net    = "sysct-net"    // makes a guest's interfaces

	digest = ".sum"
)

// ErrNone means that the build had nothing to embed.
var ErrNone = errors.New("no program is embedded")

// Extract gives the path of an embedded program below dir, writing it if it isn't
// there yet. Its name has its digest, so that versions live side by side and
// running ones are never overwritten.
func Extract(dir, program string) (string, error) {
	sum, err := files.ReadFile("bin/" + program + digest)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("cannot read embedded program: %w", err)
	}
	path := filepath.Join(dir, program+"-"+strings.TrimSpace(string(sum)))
	info, err := fs.Stat(files, "bin/"+program)
	if err != nil {
		return "", fmt.Errorf("cannot read embedded program: %w", err)
	}
	if err := checkOwner(dir); err != nil {
		return "", err
	}
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == info.Size() {
		return path, checkOwner(path)
	}
	data, err := files.ReadFile("bin/" + program)
	if err != nil {
		return "", fmt.Errorf("cannot read embedded program: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot extract program: %w", err)
	}
	if err := atomicfile.WritePath(path, data, 0o755); err != nil {
		return "", fmt.Errorf("cannot extract program: %w", err)
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
