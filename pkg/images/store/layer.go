package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A stopped overlay guest can share what it has in its own layer: that becomes a
// layer below, never changed again, and the guest gets an empty one of its own.
//
//	upper      A's                      empty          empty of B
//	layers                        ID/tree: A's    ID/tree: A's
//	image      image                    image          image
//
// What the guest shows is the same at every moment: first an empty layer is put below
// its own (NewLayer, and whoever keeps the list of layers notes it), then the two
// change places in one step (Split).

// LayerTree is where the files of a layer are that was made at path.
func LayerTree(path string) string { return filepath.Join(path, layerTree) }

const layerTree = "tree"

// NewLayer makes a directory at path with an empty layer in it, whose root is as that
// of the guest's own layer.
func NewLayer(l Layout, path string) error {
	layer, fresh, err := makeGuestDir(path)
	if err != nil {
		return err
	}
	defer layer.close()
	err = layer.makeParts([]string{layerTree})
	if err == nil {
		err = copyRootAttributes(l.GuestDir+"/upper", layer.fd, layerTree)
	}
	if err == nil {
		err = layer.syncDirs([]string{layerTree})
	}
	if err != nil {
		undo := layer.remove([]string{layerTree}, fresh)
		return errors.Join(fmt.Errorf("cannot make a layer for %s: %w", l.GuestDir, err), undo)
	}
	return nil
}

// Split exchanges the guest's own layer with the empty one that NewLayer made at path.
// Nothing may be mounted on rootfs/: see Unmount.
func Split(l Layout, path string) error {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	if err := g.refuseLingering(departGrace); err != nil {
		return err
	}
	layer, err := openGuestDir(path)
	if err != nil {
		return err
	}
	defer layer.close()
	err = unix.Renameat2(g.fd, "upper", layer.fd, layerTree, unix.RENAME_EXCHANGE)
	if err == nil {
		err = errors.Join(unix.Fsync(layer.fd), unix.Fsync(g.fd))
	}
	if err != nil {
		return fmt.Errorf("cannot share the layer of %s: %w", l.GuestDir, err)
	}
	return nil
}

// UpperIsEmpty tells whether the guest has nothing in its own layer.
func UpperIsEmpty(l Layout) (bool, error) {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return false, err
	}
	defer g.close()
	upper, err := g.openPart("upper")
	if err != nil {
		return false, err
	}
	defer unix.Close(upper)
	empty := true
	err = eachEntry(upper, make([]byte, 4096), func(entry) error { empty = false; return nil })
	return empty, err
}

// CreateAbove makes the root file system of an overlay guest that has nothing yet in
// its own layer, whose root is as that of another guest on the same layers.
func CreateAbove(ctx context.Context, l, from Layout) error {
	return Create(ctx, l, from.GuestDir+"/upper")
}
