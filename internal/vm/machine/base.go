package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/flock"
)

// Base is what machines go on from.
type Base struct{ base }

// Source says of what a Base is made.
type Source struct {
	Release string
	Agent   string    // the program, built
	Cache   string    // the tests' cache directory
	Log     io.Writer // what the tools say
	Steps   io.Writer // a line for each step of making it
}

// Ensure gives the Base of a release, and makes it if there is none yet: in a minute or two.
func Ensure(ctx context.Context, s Source) (*Base, error) {
	r, err := newRecipe(s.Release, s.Agent)
	if err != nil {
		return nil, err
	}
	top := filepath.Join(s.Cache, "vm")
	if err := os.MkdirAll(top, 0o755); err != nil {
		return nil, err
	}
	lock, err := flock.Acquire(ctx, filepath.Join(top, s.Release+".lock"), false)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	b := base{filepath.Join(top, r.key())}
	if _, err = os.Stat(b.dir); errors.Is(err, os.ErrNotExist) {
		err = b.make(ctx, r, s)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a test machine of %s: %w", s.Release, err)
	}
	now := time.Now()
	os.Chtimes(b.dir, now, now) // its last use
	return &Base{b}, removeOld(top, s.Release, r.key())
}

// unused is how long a Base of another recipe is kept: work on several branches has several at a time.
const unused = 6 * time.Hour

// removeOld removes a release's other Bases that nobody used for long, and what was left half-made.
func removeOld(top, release, key string) error {
	entries, err := os.ReadDir(top)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		old := strings.HasPrefix(e.Name(), release+"-") && e.Name() != key && time.Since(info.ModTime()) > unused
		if old || strings.HasPrefix(e.Name(), ".new-"+release) {
			if err := os.RemoveAll(filepath.Join(top, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
