package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/flock"
)

const (
	lockSuffix = ".lock"
	// unfinished begins the name of a directory under construction or destruction. Whoever has the key's lock may remove it.
	unfinished = "."
	// defaultIdle is how long a build may say nothing.
	defaultIdle = 300 * time.Second
	// defaultIDBase is where the ids of builds begin, far above the ranges of guests. Nothing on disk ever has them.
	defaultIDBase = 0x7ffe0000
	// busyPause is after how long a user is told what is waited for.
	busyPause = 200 * time.Millisecond
)

// Store is the directory of images: KEY/{image.json,rootfs/} and KEY.lock each. Several processes use it at once. An image is
// used under its shared lock, and built and removed under the exclusive one.
type Store struct {
	Dir    string
	Idle   time.Duration // a build without output for so long is killed; 0 is 300 s
	IDBase uint32        // first of 65,536 host ids that builds run with; 0 is the package's choice
	Path   string        // where the host's bootstrap tools are looked for; "" is the usual places
}

func (s *Store) idle() time.Duration {
	if s.Idle == 0 {
		return defaultIdle
	}
	return s.Idle
}

func (s *Store) idBase() uint32 {
	if s.IDBase == 0 {
		return defaultIDBase
	}
	return s.IDBase
}

func (s *Store) path() string {
	if s.Path == "" {
		return toolPath
	}
	return s.Path
}

// BuildError is a build that failed. Nothing of it is left.
type BuildError struct {
	Recipe string
	Err    error
	Lines  []string // the last ones that the build wrote
	Hint   string   // what to do about it, or ""
}

// Error has the last lines as lines of their own.
func (e *BuildError) Error() string {
	text := fmt.Sprintf("cannot build %s: %v", e.Recipe, e.Err)
	if len(e.Lines) > 0 {
		text += "\n    " + strings.Join(e.Lines, "\n    ")
	}
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return text
}

// Unwrap is the cause.
func (e *BuildError) Unwrap() error { return e.Err }

// Ensure returns the image of the recipe and builds it first if it isn't there. The caller closes it. progress gets a line for
// each stage of a build, log all of its output; both may be nil. Of several callers one builds and the others wait. The error of
// a failed build is a *BuildError.
func (s *Store) Ensure(ctx context.Context, r *Recipe, progress, log io.Writer) (*Image, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the store of images: %w", err)
	}
	key := r.Key()
	out := newOutput(progress, log)
	for {
		image, err := s.open(ctx, key, out)
		if !errors.Is(err, fs.ErrNotExist) {
			return image, err
		}
		if err := s.build(ctx, r, out); err != nil {
			return nil, err
		}
	}
}

// Open returns a finished image, or an error that wraps fs.ErrNotExist. The caller closes it.
func (s *Store) Open(ctx context.Context, key string) (*Image, error) {
	if _, err := s.read(key); err != nil {
		return nil, err
	}
	return s.open(ctx, key, newOutput(nil, nil))
}

// open takes the image's shared lock and reads it.
func (s *Store) open(ctx context.Context, key string, out *output) (*Image, error) {
	lock, err := s.acquire(ctx, key, true, out)
	if err != nil {
		return nil, err
	}
	image, err := s.read(key)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	image.lock = lock
	return image, nil
}

// acquire takes the lock of a key and says so if that takes long.
func (s *Store) acquire(ctx context.Context, key string, shared bool, out *output) (*flock.Lock, error) {
	path := filepath.Join(s.Dir, key+lockSuffix)
	soon, cancel := context.WithTimeout(ctx, busyPause)
	defer cancel()
	lock, err := flock.Acquire(soon, path, shared)
	if err != nil && errors.Is(err, flock.ErrHeld) && ctx.Err() == nil {
		out.stage("waiting for another build of " + key)
		lock, err = flock.Acquire(ctx, path, shared)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock image %q: %w", key, err)
	}
	return lock, nil
}
