package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// helperName is the program that is the monitor, the stage and the holder.
const helperName = "sysct-helper"

// libDir is where a package installs the helper.
const libDir = "/usr/lib/sysct"

// helper finds the helper program: the option's, beside the executable, or the
// installed one.
func (m *Manager) helper() (string, error) {
	if m.opt.Helper != "" {
		return m.opt.Helper, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find own executable: %w", err)
	}
	for _, path := range []string{filepath.Join(filepath.Dir(exe), helperName), filepath.Join(libDir, helperName)} {
		st, err := os.Stat(path)
		if err == nil && st.Mode().IsRegular() {
			return path, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("cannot find the helper: %w", err)
		}
	}
	return "", fmt.Errorf("cannot find the helper %s: it is neither beside %s nor in %s", helperName, exe, libDir)
}
