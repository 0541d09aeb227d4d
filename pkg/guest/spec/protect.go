package spec

import (
	"bytes"
	"fmt"
	"slices"
)

// What a guest can be protected from.
const (
	ProtectDelete = "delete"
	ProtectStart  = "start"
)

// Protected tells whether the guest whose directory is dir, open at dirfd,
// is protected from something. A configuration that can't be read protects nothing,
// unless a line of it begins with the key, or with one that has it read other files: a
// slip elsewhere must not take the protection away. The error is then why it can't be read.
func (l *Layers) Protected(dirfd int, dir, from string) (bool, error) {
	g, err := l.Load(dirfd, dir)
	if err == nil {
		return slices.Contains(g.Protect, from), nil
	}
	text, rerr := LoadText(dirfd, dir)
	if rerr != nil || !mentions(text.Data, "protect") && !mentions(text.Data, "include") && !mentions(text.Data, "profiles") {
		return false, nil
	}
	return true, fmt.Errorf("its protect can't be read: %w", err)
}

// mentions tells whether a line sets the key, or might.
func mentions(data []byte, key string) bool {
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t\"'"), []byte(key)) {
			return true
		}
	}
	return false
}
