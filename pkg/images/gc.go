package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
)

// removeTries bounds the removal of a tree in which a build still dies.
const removeTries = 50

// List returns the finished images by key. What can't be read as one is left out.
func (s *Store) List() ([]Image, error) {
	entries, err := s.entries()
	if err != nil {
		return nil, err
	}
	var all []Image
	for _, name := range entries {
		if image, err := s.read(name); err == nil {
			all = append(all, *image)
		}
	}
	return all, nil
}

// entries lists the store, which may not exist yet.
func (s *Store) entries() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list images: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Remove removes an image; one that keep wants stays, which is an error. keep is called under the image's lock, as GC does.
// flock.ErrHeld: it is being used or built. fs.ErrNotExist: there is none.
func (s *Store) Remove(key string, keep func(key string) bool) error {
	_, err := os.Lstat(filepath.Join(s.Dir, key))
	if !isImageKey(key) {
		err = errors.New("not the name of an image")
	}
	var removed []string
	if err == nil {
		removed, err = s.collect(key, keep, false)
	}
	if err == nil && !slices.Contains(removed, key) {
		err = errors.New("it is needed still")
	}
	if err != nil {
		return fmt.Errorf("cannot remove image %q: %w", key, err)
	}
	return nil
}

// GC removes the images that keep does not want, unless they are being used, and what killed builds and removals have left. It
// returns what it removed, with dry what it would remove: an image's key, or one with a dot before it for something unfinished.
// keep is called under the image's lock: who creates a guest must have it noted before he closes the image.
func (s *Store) GC(keep func(key string) bool, dry bool) ([]string, error) {
	names, err := s.entries()
	if err != nil {
		return nil, err
	}
	var removed []string
	var failed []error
	for _, key := range keysOf(names) {
		some, err := s.collect(key, keep, dry)
		removed = append(removed, some...)
		if err != nil && !errors.Is(err, flock.ErrHeld) {
			failed = append(failed, fmt.Errorf("cannot remove image %q: %w", key, err))
		}
	}
	return removed, errors.Join(failed...)
}

// keysOf finds the keys of which something is in the store: an image, an unfinished directory, a lock. Foreign files have none.
func keysOf(names []string) []string {
	var keys []string
	for _, name := range names {
		key := strings.TrimSuffix(strings.TrimPrefix(name, unfinished), lockSuffix)
		if isImageKey(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// collect removes what there is of a key, but not an image that is kept.
func (s *Store) collect(key string, keep func(string) bool, dry bool) (removed []string, err error) {
	image, lockFile := filepath.Join(s.Dir, key), filepath.Join(s.Dir, key+lockSuffix)
	temporary := filepath.Join(s.Dir, unfinished+key)
	lock, err := flock.TryAcquire(lockFile)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if exists(temporary) {
		removed = append(removed, unfinished+key)
		if !dry {
			err = removeTree(temporary)
		}
	}
	if err == nil && exists(image) && !keep(key) {
		removed = append(removed, key)
		if !dry {
			err = errors.Join(os.Rename(image, temporary), removeTree(temporary))
		}
	}
	if err == nil && !exists(image) {
		// Whoever waits for this lock finds that its file is gone, and takes a new one.
		err = os.Remove(lockFile)
	}
	return removed, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// removeTree removes a directory with all that is in it; one that is missing is no error.
func removeTree(path string) error {
	var err error
	for range removeTries {
		if err = os.RemoveAll(path); !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EBUSY) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func statOf(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }
