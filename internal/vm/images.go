package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/internal/vm/machine"
	"github.com/sysct/sysct/pkg/images"
)

// guests are the images that machines have: template and arguments.
func guests() [][]string {
	return [][]string{
		{"busybox"},
		append([]string{"debian"}, testimages.DebianArgs("bookworm")...),
		append([]string{"debian"}, testimages.DebianArgs("trixie")...),
	}
}

// ensureImages gives the drive with the images of guests, and makes it if there is none with these.
func ensureImages(ctx context.Context, log io.Writer) (string, error) {
	var keys []string
	for _, words := range guests() {
		key, err := ensureImage(ctx, log, words[0], words[1:])
		if err != nil {
			return "", err
		}
		keys = append(keys, key)
	}
	top := filepath.Join(testimages.Cache(), "vm")
	lock, err := flock.Acquire(ctx, filepath.Join(top, "images.lock"), false)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	sum := sha256.Sum256([]byte(strings.Join(append(keys, hostFiles()...), "\n") + "3"))
	drive := filepath.Join(top, "images-"+hex.EncodeToString(sum[:8]))
	now := time.Now()
	if os.Chtimes(drive, now, now) == nil { // it is there
		return drive, nil
	}
	return drive, errors.Join(writeImages(ctx, keys, filepath.Join(top, ".new-images"), drive), machine.RemoveOld(top, "images", filepath.Base(drive)))
}

func ensureImage(ctx context.Context, log io.Writer, template string, args []string) (string, error) {
	found, err := images.Find(nil, template)
	if err != nil {
		return "", err
	}
	recipe, err := found.Recipe(args)
	if err != nil {
		return "", err
	}
	image, err := testimages.Store().Ensure(ctx, recipe, log, nil)
	if err != nil {
		return "", err
	}
	return recipe.Key(), image.Close()
}

// hostFiles are those of this host that an image's key depends on.
func hostFiles() []string {
	var there []string
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*", "/etc/apt/mirrors/*", "/etc/apt/keyrings/*", "/usr/bin/busybox"} {
		found, _ := filepath.Glob(pattern) // the patterns are good
		there = append(there, found...)
	}
	slices.Sort(there)
	return there
}

// writeImages makes the drive: images as the cache directory has them, and host with the host's files.
func writeImages(ctx context.Context, keys []string, tree, drive string) error {
	defer os.RemoveAll(tree)
	for _, dir := range []string{tree, filepath.Join(tree, "images"), filepath.Join(tree, "host")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := command("cp", "-a", filepath.Join(testimages.Store().Dir, key), filepath.Join(tree, "images")); err != nil {
			return err
		}
	}
	for _, f := range hostFiles() {
		if err := command("cp", "-L", "--parents", f, filepath.Join(tree, "host")); err != nil {
			return err
		}
	}
	tmp := drive + ".new"
	if err := machine.WriteImage(ctx, tree, tmp, 4<<30); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, drive); err != nil {
		return fmt.Errorf("cannot keep the drive of images: %w", err)
	}
	return nil
}
