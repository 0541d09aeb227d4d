package hostinit

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

// configDirs are for everybody to read; all others are root's alone.
func configDirs() []string { return []string{"/etc/sysct", "/etc/sysct/templates"} }

// directories are those to be made. What is below /run goes with the next boot: in a tree
// that isn't running there is nothing to make.
func directories(o Options) []string {
	dirs := configDirs()
	for _, dir := range o.Private {
		if o.Tree == "/" || !strings.HasPrefix(dir, "/run/") {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func planDir(tree *safefs.Root, dir string) (*Change, error) {
	f, err := tree.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &Change{Action: Made, Path: dir}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", dir, cause(err))
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("cannot check %s: %w", dir, err)
	}
	if st.Uid != 0 || st.Mode&0o022 != 0 {
		return nil, fmt.Errorf("cannot use %s: others than root may write to it\nhint: chown root %s; chmod go-w %s", dir, dir, dir)
	}
	return nil, nil
}

func makeDir(tree *safefs.Root, dir string) error {
	mode := uint32(0o700)
	for _, open := range configDirs() {
		if dir == open {
			mode = 0o755
		}
	}
	if err := tree.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return tree.MkdirAll(dir, mode)
}
