package nft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/vnet"
)

// Guest is what the table has of one running guest.
type Guest struct {
	Name      string         `json:"name"`
	Published []vnet.Publish `json:"published,omitempty"`
	Isolated  Isolated       `json:"isolated"`
}

// GuestOf is a guest's part in the table.
func GuestOf(s *vnet.Setup) Guest {
	g := Guest{Name: s.Guest, Published: s.Publish, Isolated: Isolated{Guest: s.Guest}}
	for _, i := range s.Interfaces {
		if !i.Isolate {
			continue
		}
		for _, p := range i.Addresses {
			g.Isolated.Addresses = append(g.Isolated.Addresses, p.Addr())
		}
	}
	return g
}

// None says that the table has nothing of the guest's.
func (g Guest) None() bool { return len(g.Published) == 0 && len(g.Isolated.Addresses) == 0 }

// content is the guest's part alone.
func (g Guest) content() Content {
	var c Content
	for _, p := range g.Published {
		c.Published = append(c.Published, Published{g.Name, p})
	}
	if len(g.Isolated.Addresses) > 0 {
		c.Isolated = append(c.Isolated, g.Isolated)
	}
	return c
}

// The files below the run directory:
//
//	.net/lock             held while any of them is read to be rendered, or changed
//	.net/networks/NAME    the networks that are up, as JSON
//	.net/guests/NAME      the running guests that the table has something of
//	.net/loaded           what the table was when it was loaded last
const (
	stateDir    = ".net"
	networksDir = "networks"
	guestsDir   = "guests"
	loadedFile  = "loaded"
	lockWait    = 20 * time.Second
)

// files are the state, locked.
type files struct {
	dir  string
	lock *flock.Lock
}

func open(ctx context.Context, runDir string) (*files, error) {
	dir := filepath.Join(runDir, stateDir)
	for _, sub := range []string{networksDir, guestsDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("cannot make directory of the network's state: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock, err := flock.Acquire(ctx, filepath.Join(dir, "lock"), false)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the network's state: %w", err)
	}
	return &files{dir, lock}, nil
}

func (f *files) close() { f.lock.Release() }

func (f *files) path(kind, name string) string { return filepath.Join(f.dir, kind, name) }

// write keeps a network or a guest.
func (f *files) write(kind, name string, value any) error {
	if !madeOf(name, 64, nameChars) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("cannot write state of %q: it is not a name", name)
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return f.put(kind, name, data)
}

func (f *files) put(kind, name string, data []byte) error {
	dir, err := os.Open(filepath.Join(f.dir, kind))
	if err != nil {
		return err
	}
	defer dir.Close()
	return atomicfile.WriteVolatile(int(dir.Fd()), name, data, 0o600)
}

// remove forgets one; had says whether there was one.
func (f *files) remove(kind, name string) (had bool, err error) {
	err = os.Remove(f.path(kind, filepath.Base(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// read is all that the table is made of.
func (f *files) read() (Content, error) {
	var c Content
	err := each(filepath.Join(f.dir, networksDir), func(n vnet.Network) { c.Networks = append(c.Networks, n) })
	if err != nil {
		return c, err
	}
	err = each(filepath.Join(f.dir, guestsDir), func(g Guest) {
		part := g.content()
		c.Published = append(c.Published, part.Published...)
		c.Isolated = append(c.Isolated, part.Isolated...)
	})
	return c, err
}

// Networks are those of an instance that are up, as its run directory says.
func Networks(runDir string) ([]vnet.Network, error) {
	var out []vnet.Network
	err := each(filepath.Join(runDir, stateDir, networksDir), func(n vnet.Network) { out = append(out, n) })
	return out, err
}

// GuestKept is what the table has of a guest, as its instance's run directory says; with
// no name if it has nothing.
func GuestKept(runDir, name string) (Guest, error) {
	var g Guest
	path := filepath.Join(runDir, stateDir, guestsDir, filepath.Base(name))
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		return g, fmt.Errorf("cannot read the network's state %s: %w", path, err)
	}
	return g, nil
}

// each reads the files of a directory in the order of their names.
func each[T any](dir string, take func(T)) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the network's state: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var value T
		if err == nil {
			err = json.Unmarshal(data, &value)
		}
		if err != nil {
			return fmt.Errorf("cannot read the network's state %s: %w", filepath.Join(dir, e.Name()), err)
		}
		take(value)
	}
	return nil
}
