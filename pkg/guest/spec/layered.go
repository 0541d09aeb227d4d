package spec

import (
	"fmt"
	"slices"
	"strings"
)

// check reports the fault of the values that stands first in the topmost file that has
// any, at the place that the value comes from.
func (c *Layered) check() error {
	first, rank, offset := (*ParseError)(nil), 0, 0
	checkAll(c.Guest, func(path, format string, args ...any) {
		i, at := c.owner(path)
		if first != nil && (i < rank || i == rank && at >= offset) {
			return
		}
		first, rank, offset = c.sources[i].error(path, format, args...), i, at
	})
	if first == nil {
		return nil
	}
	return first
}

// owner finds the topmost file that has the key at path, or the nearest table around it
// that any has; the guest's own if none has.
func (c *Layered) owner(path string) (index, offset int) {
	for p := path; p != ""; p = p[:max(0, strings.LastIndexAny(p, ".["))] {
		for i, src := range slices.Backward(c.sources) {
			if at, ok := src.keys.at(p); ok {
				return i, at
			}
		}
	}
	return len(c.sources) - 1, 0
}

// at is the offset of the key at path itself.
func (k *keys) at(path string) (offset int, ok bool) {
	for _, p := range []string{path, indexPath(path, 0)} {
		if offset, ok := k.found[p]; ok {
			return offset, true
		}
		if offset, ok := k.implied[p]; ok {
			return offset, true
		}
	}
	return 0, false
}

func checkLayers(g *Guest, fail report) {
	for i, path := range g.Include {
		if path == "" || strings.HasSuffix(path, "/") {
			fail(indexPath("include", i), "%s is not the path of a file", show(path))
		}
	}
	for i := range g.Profiles {
		if err := checkProfile(g.Profiles, i); err != nil {
			fail(indexPath("profiles", i), "%s", err)
		}
	}
	for key, n := range map[string]int{"include": len(g.Include), "profiles": len(g.Profiles)} {
		if n > maxLayers {
			fail(key, "%s", fmt.Sprintf("%d files are too many: the most is %d", n, maxLayers))
		}
	}
}
