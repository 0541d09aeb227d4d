package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/flock"
)

const (
	imageVersion = 1 // schema of image.json
	imageFile    = "image.json"
	rootfsDir    = "rootfs"
	maxImageFile = 1 << 20 // bytes
)

// Image is a finished image. Its files are never changed.
type Image struct {
	Key       string            `json:"key"`
	Template  string            `json:"template"`
	Release   string            `json:"release,omitempty"`
	Arch      string            `json:"arch"`
	Args      map[string]string `json:"args,omitempty"` // values of the template's arguments
	Source    Source            `json:"source"`
	CreatedAt time.Time         `json:"created_at"`
	Size      int64             `json:"size"`         // of the tree on disk, in bytes
	OS        map[string]string `json:"os,omitempty"` // the tree's os-release; hostile text
	RootFS    string            `json:"-"`            // path of the tree, which has the guest's own ids and modes

	lock *flock.Lock
}

// Close lets the image go. From Ensure or Open until then it is not removed, by no process.
func (i *Image) Close() error {
	if i.lock == nil {
		return nil
	}
	lock := i.lock
	i.lock = nil
	return lock.Release()
}

// read reads the finished image of that key, without a lock; fs.ErrNotExist if there is none.
func (s *Store) read(key string) (*Image, error) {
	if !isImageKey(key) {
		return nil, fmt.Errorf("cannot read image %q: not the name of an image", key)
	}
	dir := filepath.Join(s.Dir, key)
	if _, err := os.Lstat(dir); err != nil {
		return nil, err
	}
	text, _, err := atomicfile.Read(unix.AT_FDCWD, filepath.Join(dir, imageFile), maxImageFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New(imageFile + " is missing") // the image isn't
	}
	var image *Image
	if err == nil {
		image, err = parseImage(text, key)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read image %q: %w", key, err)
	}
	image.RootFS = filepath.Join(dir, rootfsDir)
	return image, nil
}

// versioned is image.json.
type versioned struct {
	Version int `json:"version"`
	Image
}

func parseImage(text []byte, key string) (*Image, error) {
	var file versioned
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	switch {
	case file.Version != imageVersion:
		return nil, fmt.Errorf("version is %d, this program knows %d", file.Version, imageVersion)
	case file.Key != key:
		return nil, fmt.Errorf("it is the image %q", file.Key)
	}
	return &file.Image, nil
}

func writeImage(dir *os.File, image *Image) error {
	text, err := json.MarshalIndent(versioned{imageVersion, *image}, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(int(dir.Fd()), imageFile, append(text, '\n'), 0o600)
}
