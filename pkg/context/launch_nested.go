package context

import (
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
	"github.com/sysct/sysct/pkg/images/store"
)

// nestedPlaces are where managers of containers keep theirs, by the name of the descriptor.
// An overlay can't lie upon an overlay, and no ids can be mapped on one: there a guest that
// nests has directories of the file system that its own layer is on.
func nestedPlaces() map[string]string {
	return map[string]string{
		"nested-containers": "var/lib/containers",
		"nested-docker":     "var/lib/docker",
		"nested-sysct":      "var/lib/sysct",
	}
}

func (l *launch) openNested() error {
	if !l.spec.Nesting || l.spec.Root.Backend != store.Overlay {
		return nil
	}
	userns, err := l.stage.userns(l.spec.IDs)
	if err != nil {
		return err
	}
	defer closeFD(&userns)
	l.nested = map[string]int{}
	for name := range nestedPlaces() {
		fd, err := store.OpenNested(l.spec.Root, name, userns)
		if err != nil {
			return err
		}
		l.nested[name] = fd
	}
	return nil
}

func (l *launch) dropNested() {
	for name, fd := range l.nested {
		unix.Close(fd)
		delete(l.nested, name)
	}
}

// nestedMount puts one of them in its place. If the guest has a link there it wants its own.
func nestedMount(name string) mounts.Op {
	return mounts.Op{Kind: mounts.KindFD, FD: name, Target: nestedPlaces()[name], Attr: mounts.AttrNodev, Soft: true}
}
