package hostinit

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// CheckProgram refuses a program that others than root can exchange: the host will run it as
// root at every boot. path is absolute and without links.
func CheckProgram(path string) error {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._+-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return refuse(path, fmt.Errorf("units can't name %q", path))
	}
	for at := path; ; at = filepath.Dir(at) {
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return refuse(path, fmt.Errorf("%s: %w", at, err))
		}
		kind := st.Mode & unix.S_IFMT
		switch {
		case at == path && (kind != unix.S_IFREG || st.Mode&0o111 == 0):
			return refuse(path, fmt.Errorf("%s is no program", at))
		case at != path && kind != unix.S_IFDIR:
			return refuse(path, fmt.Errorf("%s is no directory", at))
		case st.Uid != 0:
			return refuse(path, fmt.Errorf("%s belongs to user %d", at, st.Uid))
		case st.Mode&0o002 != 0, st.Mode&0o020 != 0 && st.Gid != 0:
			return refuse(path, fmt.Errorf("others than root may write to %s", at))
		}
		if at == "/" {
			return nil
		}
	}
}

func refuse(path string, why error) error {
	return fmt.Errorf("cannot set up %s, which the host would run as root: %w\nhint: install -m 755 %s /usr/local/bin/sysct && /usr/local/bin/sysct host init", path, why, path)
}
