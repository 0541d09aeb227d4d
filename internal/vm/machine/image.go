package machine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteImage makes an ext4 image of a tree, with some room, in bytes. The file has holes.
func WriteImage(ctx context.Context, tree, image string, room int64) error {
	size, err := sizeOf(tree)
	if err != nil {
		return err
	}
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate((size*5/4+room)&^(1<<20-1)), f.Close()); err != nil {
		return err
	}
	return tool(ctx, io.Discard, "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d", tree, image)
}

// sizeOf adds up what is in a tree, in bytes of whole blocks.
func sizeOf(tree string) (size int64, err error) {
	err = filepath.WalkDir(tree, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		size += (info.Size() + 4095) &^ 4095
		return nil
	})
	return size, err
}
