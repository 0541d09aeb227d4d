package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sysct/sysct/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// configFile is the name of a guest's configuration in its directory.
const configFile = "config.toml"

// Load reads config.toml in the directory dirfd of the guest called name. A missing
// file is fs.ErrNotExist. All else that is wrong is a *ParseError whose File is
// NAME/config.toml: a symlink, a FIFO or the like, a file that others than root can
// write to, and what Parse refuses.
func Load(dirfd int, name string) (*Guest, error) {
	data, err := readConfig(dirfd, name)
	if err != nil {
		return nil, err
	}
	return Parse(data, name+"/"+configFile)
}

// readConfig reads a guest's configuration if it can be trusted.
func readConfig(dirfd int, name string) ([]byte, error) {
	shown := name + "/" + configFile
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(dirfd, configFile, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot open %q: %w", shown, err)
	}
	if errors.Is(err, unix.ELOOP) {
		return nil, &ParseError{File: shown, Msg: "is a symlink", Err: err}
	}
	if err != nil {
		return nil, &ParseError{File: shown, Msg: "cannot open: " + err.Error(), Err: err}
	}
	file := os.NewFile(uintptr(fd), shown)
	defer file.Close()
	return readTrusted(file, shown)
}

// readTrusted reads a configuration that only root (or the user this process runs
// as) can have written; shown is its name in errors.
func readTrusted(file *os.File, shown string) ([]byte, error) {
	// One byte more than Parse takes: it says what the limit is.
	data, st, err := atomicfile.ReadFrom(file, maxSize+1)
	switch kind := st.Mode & unix.S_IFMT; {
	case kind != unix.S_IFREG && kind != 0:
		return nil, &ParseError{File: shown, Msg: "is not a regular file", Err: err}
	case st.Size > maxSize:
		return nil, &ParseError{File: shown, Msg: tooLarge, Err: err}
	case err != nil:
		return nil, &ParseError{File: shown, Msg: err.Error(), Err: err}
	case st.Mode&0o022 != 0:
		return nil, &ParseError{File: shown, Msg: fmt.Sprintf("can be written by others (mode %04o): chmod go-w", st.Mode&0o7777)}
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return nil, &ParseError{File: shown, Msg: fmt.Sprintf("belongs to user %d, not to root", st.Uid)}
	}
	return data, nil
}
