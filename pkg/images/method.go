package images

import (
	"context"
	"os"

	"github.com/sysct/sysct/internal/safefs"
)

// method is a way to fill a tree.
type method struct {
	options  []string // those that it understands
	check    func(*Template) error
	complete func(*Recipe, host) error // fills in what the host decides on
	build    func(context.Context, *build) error
}

// methodOf returns the method of that name.
func methodOf(name string) (method, bool) {
	switch name {
	case "debootstrap":
		return method{
			options: []string{"release", "arch", "include", "mirror", "allow-expired", "init"},
			check:   checkDebootstrap, complete: completeDebootstrap, build: buildDebootstrap,
		}, true
	case "busybox":
		return method{check: checkBusybox, complete: completeBusybox, build: buildBusybox}, true
	}
	return method{}, false
}

// build is one run of a method.
type build struct {
	store  *Store
	recipe *Recipe
	tree   *os.File     // the directory to fill
	root   *safefs.Root // the same, for single files
	out    *output
}
