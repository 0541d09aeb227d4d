package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// helperName is the program that is the monitor, the stage and the holder; netName the one
// that makes a guest's interfaces.
const (
	helperName = "sysct-helper"
	netName    = "sysct-net"
)

// libDirs are where a package and make install put the helper.
func libDirs() []string { return []string{"/usr/lib/sysct", "/usr/local/lib/sysct"} }

// helper finds the helper program: the option's, beside the executable, or the
// installed one.
func (m *Manager) helper() (string, error) {
	if m.opt.Helper != "" {
		return m.opt.Helper, nil
	}
	return findProgram(helperName)
}

// netProgram finds sysct-net, in the same places.
func (m *Manager) netProgram() (string, error) {
	if m.opt.NetProgram != "" {
		return m.opt.NetProgram, nil
	}
	return findProgram(netName)
}

func findProgram(name string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find own executable: %w", err)
	}
	dirs := append([]string{filepath.Dir(exe)}, libDirs()...)
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		st, err := os.Stat(path)
		if err == nil && st.Mode().IsRegular() {
			return path, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("cannot find the program %s: %w", name, err)
		}
	}
	return "", fmt.Errorf("cannot find the program %s in %s", name, strings.Join(dirs, ", "))
}
