package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/pkg/limits/devices"
)

// heldDisks lists the block devices that others are made of now, as those of a volume group,
// of an array or of a cache, mounted or not, with the disks and the partitions that they are
// parts and wholes of. sys is where sysfs is. Source: the kernel's sysfs-block, holders.
func heldDisks(sys string) ([]disk, error) {
	dir := filepath.Join(sys, "dev/block")
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no block devices, or none that are seen here
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for disks in use: %w", err)
	}
	var all []disk
	for _, entry := range list {
		node, err := filepath.EvalSymlinks(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue // gone meanwhile
		}
		if holders := namesIn(filepath.Join(node, "holders")); len(holders) > 0 {
			all = append(all, held(node, strings.Join(holders, " and "))...)
		}
	}
	return all, nil
}

// held are a device that holders are made of, its partitions, and the disk that it is a
// partition of.
func held(node, holders string) []disk {
	var all []disk
	add := func(dir, use string) {
		if rule, ok := blockRule(dir); ok {
			all = append(all, disk{rule, use})
		}
	}
	add(node, holders+" is made of it")
	if isPartition(node) {
		add(filepath.Dir(node), holders+" is made of a part of it")
	}
	for _, name := range namesIn(node) {
		if part := filepath.Join(node, name); isPartition(part) {
			add(part, holders+" is made of its disk")
		}
	}
	return all
}

func isPartition(node string) bool {
	_, err := os.Stat(filepath.Join(node, "partition"))
	return err == nil
}

// namesIn are what is in a directory of sysfs; nothing if it is gone.
func namesIn(dir string) (names []string) {
	list, _ := os.ReadDir(dir)
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

// blockRule is the block device whose directory in sysfs that is.
func blockRule(dir string) (devices.Rule, bool) {
	r := devices.Rule{Type: devices.Block}
	text, err := os.ReadFile(filepath.Join(dir, "dev"))
	if err != nil {
		return r, false
	}
	_, err = fmt.Sscanf(string(text), "%d:%d", &r.Major, &r.Minor)
	return r, err == nil
}
