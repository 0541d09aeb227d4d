// Package detect chooses the implementation of limits.Backend for this host from
// what is mounted. It makes nothing and changes nothing.
package detect

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
)

// Detect finds the cgroup hierarchies that this process sees (/proc/self/mountinfo)
// and gives the backend for them. A host without a writable v2 tree is an error.
func Detect() (limits.Backend, error) {
	tree, err := Find()
	if err != nil {
		return nil, err
	}
	return cgroupfs.New(tree), nil
}

// Delegated gives the backend for groups that the host's service manager makes.
func Delegated() (*cgroupfs.Backend, error) {
	tree, err := Find()
	if err != nil {
		return nil, err
	}
	return cgroupfs.NewDelegated(tree), nil
}

// Find finds the hierarchies themselves.
func Find() (cgroupfs.Tree, error) {
	text, err := cgroupLines()
	if err != nil {
		return cgroupfs.Tree{}, fmt.Errorf("cannot find cgroups: %w", err)
	}
	tree, err := choose(parse(text), visible)
	if err != nil {
		return cgroupfs.Tree{}, fmt.Errorf("cannot use cgroups: %w", err)
	}
	return tree, nil
}

// visible says whether what is mounted there is what one gets to by its path: not
// if something else was mounted over it or above it.
func visible(m mount) bool {
	var st unix.Stat_t
	if err := unix.Lstat(m.point, &st); err != nil {
		return false
	}
	return m.device == fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
}

// choose picks the best mount of v2 and of each v1 controller.
func choose(mounts []mount, visible func(mount) bool) (cgroupfs.Tree, error) {
	var v2 *mount
	v1 := map[string]*mount{}
	for i := range mounts {
		m := &mounts[i]
		if !visible(*m) {
			continue
		}
		if m.kind == "cgroup2" && m.better(v2) {
			v2 = m
		}
		for _, c := range m.controllers() {
			if m.better(v1[c]) {
				v1[c] = m
			}
		}
	}
	return treeOf(v2, v1)
}

func treeOf(v2 *mount, v1 map[string]*mount) (cgroupfs.Tree, error) {
	if v2 == nil {
		return cgroupfs.Tree{}, errors.New("no cgroup2 file system is mounted (mount -t cgroup2 none /sys/fs/cgroup/unified)")
	}
	if !v2.writable {
		return cgroupfs.Tree{}, fmt.Errorf("cgroup2 is mounted read-only on %s", v2.point)
	}
	tree := cgroupfs.Tree{V2: v2.point, V1: map[string]string{}}
	for c, m := range v1 {
		if m.writable {
			tree.V1[c] = m.point
		}
	}
	return tree, nil
}
