package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/images"
)

// Options say where an instance is and how it talks. The zero value is the
// host's default instance, silent.
type Options struct {
	Dirs         spec.Dirs    // empty fields: the defaults
	Helper       string       // the helper program; empty: beside the executable, then /usr/lib/sysct
	NetProgram   string       // sysct-net; empty: where the helper is looked for
	TemplateDirs []string     // templates that override the built-in ones
	Network      string       // what new guests are on: a network's name or none; empty: DefaultNetwork
	Warn         func(string) // one line that the user should see
	Progress     io.Writer    // what a long verb is doing, a line each; nil: quiet
}

// Manager works on the guests of one instance.
type Manager struct {
	opt    Options
	dirs   spec.Dirs
	tag    string
	units  bool // guests are units of the host's systemd
	images *images.Store
	ledger *idledger.Ledger
}

// Open gives the manager of an instance. It makes no directory: a verb that
// needs one does.
func Open(o Options) (*Manager, error) {
	dirs := spec.ResolveDirs(o.Dirs, func(string) string { return "" }, nil)
	for _, d := range []*string{&dirs.State, &dirs.Run, &dirs.Cache, &dirs.Log, &dirs.Profiles, &dirs.Networks} {
		abs, err := filepath.Abs(*d)
		if err == nil && strings.ContainsFunc(abs, unicode.IsControl) {
			err = errors.New("it has a control character in it")
		}
		if err != nil {
			return nil, as(ErrConfig, fmt.Errorf("cannot use directory %q: %w", *d, err))
		}
		*d = abs
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	tag := spec.Tag(dirs.State)
	return &Manager{opt: o, dirs: dirs, tag: tag, units: tag == "" && unitsUsed(), ledger: idledger.Open(idledger.DefaultDir),
		images: &images.Store{Dir: filepath.Join(dirs.Cache, "images")}}, nil
}

// Dirs are the instance's directories, absolute.
func (m *Manager) Dirs() spec.Dirs { return m.dirs }

// Rootfs is the path of a guest's root file system.
func (m *Manager) Rootfs(name string) string { return filepath.Join(m.dir(name), "rootfs") }

// base is the name of the instance's control groups.
func (m *Manager) base() string {
	if m.tag == "" {
		return "sysct"
	}
	return "sysct-" + m.tag
}

func (m *Manager) dir(name string) string    { return filepath.Join(m.dirs.State, name) }
func (m *Manager) runDir(name string) string { return filepath.Join(m.dirs.Run, name) }

// layers is where guests' configurations find what they are laid over.
func (m *Manager) layers() *spec.Layers {
	return &spec.Layers{Profiles: m.dirs.Profiles, Guests: m.dirs.State}
}

// privateDir makes a directory that only root may enter, and refuses one that
// belongs to somebody else.
func privateDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("cannot make %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("cannot check %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 {
		return fmt.Errorf("cannot use %s: it is not a directory of root's", path)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("cannot use %s: others may write to it\nhint: chmod go-w %s", path, path)
	}
	return nil
}

// How long another verb on the same guest is waited for: silently, and at all.
const (
	lockSilence  = 300 * time.Millisecond
	lockPatience = time.Minute
)

// lock takes the guest's lock. It waits for another verb, and says who that is;
// ErrLocked if it takes too long.
func (m *Manager) lock(ctx context.Context, name string) (*flock.Lock, error) {
	dir := filepath.Join(m.dirs.Run, ".lock")
	if err := privateDir(m.dirs.Run); err != nil {
		return nil, err
	}
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name)
	for _, patience := range []time.Duration{lockSilence, lockPatience} {
		bounded, cancel := context.WithTimeout(ctx, patience)
		l, err := flock.Acquire(bounded, path, false)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil || !errors.Is(err, flock.ErrHeld):
			return l, err
		case patience == lockPatience:
			return nil, as(ErrLocked, err)
		}
		m.opt.Warn("waiting: " + oneLine(err))
	}
	return nil, ErrLocked
}

// Names lists the guests, sorted.
func (m *Manager) Names() ([]string, error) {
	entries, err := os.ReadDir(m.dirs.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list guests: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && spec.CheckName(e.Name()) == nil && m.isGuest(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// check says that the name is good and the guest is there.
func (m *Manager) check(name string) error {
	if err := spec.CheckName(name); err != nil {
		return as(ErrConfig, err)
	}
	if m.isGuest(name) {
		return nil
	}
	return m.noGuest(name)
}

// isGuest tells a guest's directory, even a broken one, from any other: nothing
// else is listed, and nothing else is ever destroyed.
func (m *Manager) isGuest(name string) bool {
	var st unix.Stat_t
	dir := m.dir(name)
	if unix.Lstat(dir, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false
	}
	if unix.Lstat(filepath.Join(dir, "state.json"), &st) == nil {
		return true
	}
	return unix.Lstat(filepath.Join(dir, "config.toml"), &st) == nil && unix.Lstat(filepath.Join(dir, "rootfs"), &st) == nil
}

// noGuest is ErrNoGuest with the nearest name that exists.
func (m *Manager) noGuest(name string) error {
	names, _ := m.Names()
	if near := nearest.Of(name, names); near != "" {
		return as(ErrNoGuest, fmt.Errorf("no such guest\nhint: did you mean %s?", near))
	}
	return as(ErrNoGuest, errors.New("no such guest"))
}

// openDir opens a guest's directory.
func (m *Manager) openDir(name string) (int, error) {
	fd, err := unix.Open(m.dir(name), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, m.noGuest(name)
	}
	if err != nil {
		return -1, fmt.Errorf("cannot open guest %s: %w", name, err)
	}
	return fd, nil
}
