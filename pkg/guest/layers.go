package guest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
)

// Shared layers of overlay guests are in STATE/.layers/ID. A layer lives as long as the
// state.json of a guest, or of one under construction, has it. Its lock, one for all of
// them, is held from the making of one until a guest has it, and while some are removed;
// shared while a guest that has some gets its name or another: who looks through all
// guests could miss it.

// maxLayers bounds the shared layers of a guest: each costs its look-ups, and kernels
// before 6.7 take no more than some.
const maxLayers = 8

func (m *Manager) layersDir() string         { return filepath.Join(m.dirs.State, ".layers") }
func (m *Manager) layerDir(id string) string { return filepath.Join(m.layersDir(), id) }

// newLayerID makes a name for a layer.
func newLayerID() (string, error) {
	b := make([]byte, state.LayerDigits/2)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("cannot name a layer: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// lockLayers takes the lock of the layers.
func (m *Manager) lockLayers(ctx context.Context, shared bool) (*flock.Lock, error) {
	dir := filepath.Join(m.dirs.Run, ".lock")
	if err := errors.Join(privateDir(m.dirs.Run), privateDir(dir)); err != nil {
		return nil, err
	}
	return flock.Acquire(ctx, filepath.Join(dir, ".layers"), shared)
}

// withLayers gives a guest on these layers a name: not while it is looked which are used.
func (m *Manager) withLayers(ctx context.Context, layers []string, name func() error) error {
	if len(layers) == 0 {
		return name()
	}
	lock, err := m.lockLayers(ctx, true)
	if err != nil {
		return err
	}
	defer lock.Release()
	return name()
}

// collectLayers removes the layers that no guest has. While the state of one can't be
// read, none is.
func (m *Manager) collectLayers(ctx context.Context, dry bool) ([]string, error) {
	entries, err := leftoversIn(m.layersDir())
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	lock, err := m.lockLayers(ctx, false)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if entries, err = leftoversIn(m.layersDir()); err != nil {
		return nil, err
	}
	used, err := m.usedLayers()
	if err != nil {
		m.opt.Warn("shared layers are left: " + oneLine(err))
		return nil, nil
	}
	var removed []string
	var errs []error
	for _, e := range entries {
		if used[e.Name()] {
			continue
		}
		path := m.layerDir(e.Name())
		if !dry {
			if err := store.RemoveTree(path); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		removed = append(removed, "layer "+path)
	}
	if !dry {
		os.Remove(m.layersDir()) // if it is empty
	}
	return removed, errors.Join(errs...)
}

// usedLayers are those of all guests, while none gets a name. Guests that are being
// removed have none, and those under construction are on another's until they say so.
func (m *Manager) usedLayers() (map[string]bool, error) {
	entries, err := leftoversIn(m.dirs.State)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || strings.HasPrefix(name, ".") && !strings.HasPrefix(name, ".new-") {
			continue
		}
		id, err := m.storedIdentity(name)
		switch {
		case errors.Is(err, os.ErrNotExist) && !m.isGuest(name):
		case err != nil:
			return nil, fmt.Errorf("cannot tell which layers are used: guest %s: %w", name, err)
		default:
			for _, layer := range id.Layers {
				used[layer] = true
			}
		}
	}
	return used, nil
}

// storedIdentity reads state.json of a directory in the state directory.
func (m *Manager) storedIdentity(name string) (*state.Identity, error) {
	return identityIn(m.dir(name))
}

// identityIn reads state.json of a directory, of whatever instance.
func identityIn(dir string) (*state.Identity, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return state.ReadIdentity(fd)
}
