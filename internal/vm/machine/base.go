package machine

import (
	"context"
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
	Mirrors []string  // lines of a sources.list; without one mmdebstrap knows where to look
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
	b := base{filepath.Join(top, r.key())}
	if !b.used() {
		if err := b.ensure(ctx, r, s); err != nil {
			return nil, fmt.Errorf("cannot make a test machine of %s: %w", s.Release, err)
		}
	}
	return &Base{b}, nil
}

// used notes that the Base is used now, if it is there.
func (b base) used() bool {
	now := time.Now()
	return os.Chtimes(b.dir, now, now) == nil
}

// ensure makes the Base unless somebody else has done so meanwhile.
func (b base) ensure(ctx context.Context, r *recipe, s Source) error {
	top := filepath.Dir(b.dir)
	if err := os.MkdirAll(top, 0o755); err != nil {
		return err
	}
	lock, err := flock.Acquire(ctx, filepath.Join(top, s.Release+".lock"), false)
	if err != nil {
		return err
	}
	defer lock.Release()
	if b.used() {
		return nil
	}
	if err := b.make(ctx, r, s); err != nil {
		return err
	}
	return RemoveOld(top, s.Release, filepath.Base(b.dir))
}

// unused is how long a Base of another recipe is kept: work on several branches has several at a time.
const unused = 6 * time.Hour

// RemoveOld removes those of a kind, which is what their names begin with, that nobody used for long, and what was left half-made; but
// not the one of this key.
func RemoveOld(top, kind, key string) error {
	entries, err := os.ReadDir(top)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		old := strings.HasPrefix(e.Name(), kind+"-") && e.Name() != key && time.Since(info.ModTime()) > unused
		if old || strings.HasPrefix(e.Name(), ".new-"+kind) {
			if err := os.RemoveAll(filepath.Join(top, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
