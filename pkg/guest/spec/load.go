package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sysct/sysct/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// configFile is the name of a guest's configuration in its directory.
const configFile = "config.toml"

// Load reads config.toml in a guest's directory, which dirfd is open on and whose path
// is dir. A missing file is fs.ErrNotExist. All else that is wrong is a *ParseError
// whose File is DIR/config.toml: a symlink, a FIFO or the like, a file that others
// than root can write to, and what Parse refuses.
func (l *Layers) Load(dirfd int, dir string) (*Guest, error) {
	text, err := LoadText(dirfd, dir)
	if err != nil {
		return nil, err
	}
	return l.Parse(text.Data, text.Name)
}

// Text is a configuration file as it was read.
type Text struct {
	Name string // DIR/config.toml
	Data []byte
	Stat unix.Stat_t
	gone bool // there was no file
}

// NoText stands for the config.toml that is missing in the directory dir.
func NoText(dir string) *Text { return &Text{Name: dir + "/" + configFile, gone: true} }

// LoadText is Load for the text, which can be anything.
func LoadText(dirfd int, dir string) (*Text, error) {
	shown := dir + "/" + configFile
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(dirfd, configFile, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &ParseError{File: shown, Msg: "is missing", Err: err}
	}
	if errors.Is(err, unix.ELOOP) {
		return nil, &ParseError{File: shown, Msg: "is a symlink", Err: err}
	}
	if err != nil {
		return nil, &ParseError{File: shown, Msg: "cannot open: " + err.Error(), Err: err}
	}
	file := os.NewFile(uintptr(fd), shown)
	defer file.Close()
	data, st, err := readTrusted(file, shown)
	if err != nil {
		return nil, err
	}
	return &Text{Name: shown, Data: data, Stat: st}, nil
}

// ErrChanged says that a file is no longer the one that was read.
var ErrChanged = errors.New("was changed by another program in the meantime")

// Replace writes data in the place of the text, in the directory that it was read
// from, with the mode and the owner of that file. The file is read once more before:
// if it is another one now, it stays, and the error is ErrChanged. A file that was
// missing and is so still is made.
func (t *Text) Replace(dirfd int, data []byte) error {
	now, err := LoadText(dirfd, filepath.Dir(t.Name))
	if t.gone && errors.Is(err, fs.ErrNotExist) {
		return atomicfile.Write(dirfd, configFile, data, 0o600)
	}
	if t.gone || err != nil || !bytes.Equal(now.Data, t.Data) {
		return fmt.Errorf("%s %w", t.Name, ErrChanged)
	}
	return atomicfile.WriteLike(dirfd, configFile, data, &t.Stat)
}

// readTrusted reads a configuration that only root (or the user this process runs
// as) can have written; shown is its name in errors.
func readTrusted(file *os.File, shown string) ([]byte, unix.Stat_t, error) {
	// One byte more than Parse takes: it says what the limit is.
	data, st, err := atomicfile.ReadFrom(file, maxSize+1)
	switch kind := st.Mode & unix.S_IFMT; {
	case kind != unix.S_IFREG && kind != 0:
		return nil, st, &ParseError{File: shown, Msg: "is not a regular file", Err: err}
	case st.Size > maxSize:
		return nil, st, &ParseError{File: shown, Msg: tooLarge, Err: err}
	case err != nil:
		return nil, st, &ParseError{File: shown, Msg: err.Error(), Err: err}
	case st.Mode&0o022 != 0:
		return nil, st, &ParseError{File: shown, Msg: fmt.Sprintf("can be written by others (mode %04o): chmod go-w", st.Mode&0o7777)}
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return nil, st, &ParseError{File: shown, Msg: fmt.Sprintf("belongs to user %d, not to root", st.Uid)}
	}
	return data, st, nil
}
