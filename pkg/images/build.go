package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

// maxOSRelease bounds the os-release that is read from a tree, in bytes.
const maxOSRelease = 64 << 10

// build builds the recipe's image if nobody else has meanwhile. The tree grows in a directory that is no image until it is
// renamed; whatever is there of that name is left from a build that was killed.
func (s *Store) build(ctx context.Context, r *Recipe, out *output) error {
	key := r.Key()
	lock, err := s.acquire(ctx, key, false, out)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := os.Lstat(filepath.Join(s.Dir, key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary := filepath.Join(s.Dir, unfinished+key)
	if err := removeTree(temporary); err != nil {
		return fmt.Errorf("cannot remove the rest of a killed build: %w", err)
	}
	begun := time.Now()
	image, err := s.fill(ctx, r, temporary, out)
	if err == nil {
		err = s.finish(image, temporary)
	}
	if err != nil {
		return errors.Join(failure(r, err, out), removeTree(temporary))
	}
	out.stage(fmt.Sprintf("built %s in %.0f s, %d MB", r, time.Since(begun).Seconds(), image.Size/1e6))
	return nil
}

// fill makes the tree in dir.
func (s *Store) fill(ctx context.Context, r *Recipe, dir string, out *output) (*Image, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, rootfsDir)
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o755); err != nil { // whatever the umask
		return nil, err
	}
	tree, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	root, err := safefs.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	m, _ := methodOf(r.template.Method)
	if err := m.build(ctx, &build{s, r, tree, root, out}); err != nil {
		return nil, err
	}
	for _, tree := range r.trees() {
		if err := tree.apply(root); err != nil {
			return nil, err
		}
	}
	return describe(r, path, root)
}

func describe(r *Recipe, path string, root *safefs.Root) (*Image, error) {
	size, err := diskUse(path)
	if err != nil {
		return nil, fmt.Errorf("cannot measure the image: %w", err)
	}
	given := maps.Clone(r.values)
	maps.DeleteFunc(given, func(_, value string) bool { return value == "" })
	image := &Image{
		Key: r.Key(), Template: r.Template, Release: r.Release, Arch: r.Arch, Args: given, Source: r.Source,
		CreatedAt: time.Now().UTC().Truncate(time.Second), Size: size,
	}
	if text, err := root.ReadFile("/etc/os-release", maxOSRelease); err == nil {
		image.OS = parseOSRelease(string(text))
	}
	return image, nil
}

// finish makes the directory an image: written to disk whole, then under its name.
func (s *Store) finish(image *Image, temporary string) error {
	dir, err := os.Open(temporary)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := writeImage(dir, image); err != nil {
		return err
	}
	// Guests' layers lie on it, and no create syncs it again.
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("cannot write the image to disk: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(s.Dir, image.Key)); err != nil {
		return err
	}
	parent, err := os.Open(s.Dir)
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

// parseOSRelease reads the assignments of an os-release file.
func parseOSRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && name != "" && !strings.HasPrefix(name, "#") {
			values[printable(name)] = printable(strings.Trim(value, `"'`))
		}
	}
	return values
}

// diskUse is the size of a tree in bytes, each file counted once.
func diskUse(path string) (int64, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	var blocks int64
	seen := map[uint64]bool{}
	err = fs.WalkDir(root.FS(), ".", func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := statOf(info)
		if !seen[stat.Ino] {
			seen[stat.Ino] = true
			blocks += stat.Blocks
		}
		return nil
	})
	return blocks * 512, err
}
