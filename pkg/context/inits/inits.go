// Package inits looks at the init in a guest's tree before it is run. It tells
// what can't work, and leaves all else to the init itself: a file that isn't
// there, or isn't a program, is the start's to report.
//
// Nothing is known of distributions: what counts is read from the program.
package inits

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

// TooOldError is a systemd that knows control groups v1 only. A guest has v2,
// whatever its host has.
type TooOldError struct {
	Path    string // where it is, in the guest
	Version int
}

// Error says what is needed.
func (e *TooOldError) Error() string { return e.Path + " " + e.odd() }

func (e *TooOldError) odd() string {
	return fmt.Sprintf("is systemd %d, which can't run on control groups v2 alone: a guest needs systemd %d or later",
		e.Version, unifiedSince)
}

// How much of an init is read, in bytes: the libraries that it needs are named
// near its beginning, its own version may be anywhere.
const (
	firstRead = 64 << 10
	maxRead   = 8 << 20
)

// Places are where an init is looked for unless the configuration says it, the
// first one that is there counts.
func Places() []string {
	return []string{"/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/etc/init", "/bin/init"}
}

// Check says why the init at the first of the places that is there can't run in
// a guest, a *TooOldError. It is nil if nothing is known against it.
func Check(root *safefs.Root, places []string) error {
	for _, place := range places {
		name, err := root.Resolve(place)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil || name != "systemd" {
			return nil
		}
		if v := readVersion(root, place); v != 0 && v < unifiedSince {
			return &TooOldError{place, v}
		}
		return nil
	}
	return nil
}

// Odd is what Check says of the init at that place, without the place; "" if it
// says nothing.
func Odd(root *safefs.Root, place string) string {
	var old *TooOldError
	if errors.As(Check(root, []string{place}), &old) {
		return old.odd()
	}
	return ""
}

// readVersion reads the version of a systemd, 0 if it can't be found.
func readVersion(root *safefs.Root, name string) int {
	for _, size := range []int{firstRead, maxRead} {
		program, _, err := root.Head(name, size)
		if err != nil {
			return 0
		}
		if v := max(libraryVersion(program), ownVersion(program)); v != 0 {
			return v
		}
		if len(program) < size {
			break
		}
	}
	return 0
}
