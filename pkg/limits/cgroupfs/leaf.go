package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

const leafName = ".sysct"

// Leaf implements limits.Group. The leaf is root's, so that the guest can't freeze
// or fill it; but payload is the guest's, who may remove it or put its own there.
func (g *group) Leaf() (int, error) {
	leaf, err := g.payload.openOrCreate(leafName)
	if err == nil && !rootOwns(leaf) {
		leaf.close()
		leaf, err = g.replaceLeaf()
	}
	if err != nil {
		return -1, fmt.Errorf("cannot open the leaf group of %q: %w", g.name, err)
	}
	return leaf.fd, nil
}

func (d *dir) openOrCreate(name string) (*dir, error) {
	sub, err := d.create(name)
	if errors.Is(err, fs.ErrExist) {
		return d.open(name)
	}
	return sub, err
}

// replaceLeaf puts a leaf of root's in the place of an empty one of the guest's.
func (g *group) replaceLeaf() (*dir, error) {
	if err := g.payload.remove(leafName); err != nil {
		return nil, fmt.Errorf("the guest made one of its own and uses it: %w", err)
	}
	return g.payload.create(leafName)
}

func rootOwns(d *dir) bool {
	var st unix.Stat_t
	return unix.Fstat(d.fd, &st) == nil && st.Uid == 0
}
