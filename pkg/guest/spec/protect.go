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
// unless a line of it begins with the key: a slip elsewhere in the file must not
// take the protection away. The error is then why it can't be read.
func Protected(dirfd int, dir, from string) (bool, error) {
	g, err := Load(dirfd, dir)
	if err == nil {
		return slices.Contains(g.Protect, from), nil
	}
	text, rerr := LoadText(dirfd, dir)
	if rerr != nil || !mentions(text.Data, "protect") {
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
