package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// cloneBytes is how large the guest is that is cloned: a Debian with something in it.
const cloneBytes = 240_000_000

// cloneRow is the time of the command that clones a stopped Debian. The clone is
// destroyed again.
func cloneRow(v verb) func(*bench, peer) (*probe, error) {
	return func(b *bench, p peer) (*probe, error) {
		name, err := b.source(p, v)
		if err != nil {
			return nil, err
		}
		clone := p.name("clone")
		return &probe{run: b.timed(p.argv(v, name, clone)), after: b.step(p.argv(doDestroy, clone))}, nil
	}
}

// source is the guest that is cloned. What shares needs a storage that can: with
// sysct it is what a user gets, with LXC the clone is an overlay on the directory.
func (b *bench) source(p peer, v verb) (string, error) {
	if p != peer(b.sysct) || v == doClone {
		name, err := b.guest(p, "whole", debian)
		if err == nil {
			err = fill(p.rootfs(name))
		}
		return name, err
	}
	name := p.name("shared")
	if b.made[name] {
		return name, nil
	}
	argv, err := p.creation(name, debian)
	if err != nil {
		return "", err
	}
	if _, err := b.time(argv); err != nil {
		return "", err
	}
	b.made[name] = true
	return name, fill(p.rootfs(name))
}

// fill makes a tree as large as the row says, by files of a megabyte that can't be
// compressed; one that is filled already stays.
func fill(root string) error {
	size := int64(0)
	err := filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	dir := filepath.Join(root, "var/lib/bench")
	if err = errors.Join(err, os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	data := make([]byte, 1_000_000)
	for ; size < cloneBytes; size += int64(len(data)) {
		rand.Read(data)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(size)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
