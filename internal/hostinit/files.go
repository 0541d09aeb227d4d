package hostinit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/etc"
	"github.com/sysct/sysct/internal/safefs"
)

// source is a file that is to be on the host.
type source struct {
	path    string   // where the administrator's own are
	shipped []string // where a package or make install would have put it
	data    []byte   // for the program, without the line that stamp adds
	stamped bool
}

// content is what is written.
func (s *source) content() []byte {
	if s.stamped {
		return stamp(s.data)
	}
	return s.data
}

// sources gives the files for this host, the configuration first.
func sources(o Options) ([]source, error) {
	list := []source{{path: "/etc/sysct/sysct.toml"}}
	names := []string{"sysct.toml"}
	for _, dir := range []string{"sysctl.d", "tmpfiles.d", "systemd"} {
		if !o.Systemd && dir != "sysctl.d" {
			continue // nobody would read them
		}
		files, err := fs.ReadDir(etc.FS, dir)
		if err != nil {
			return nil, fmt.Errorf("cannot read what is embedded: %w", err)
		}
		below := dir
		if dir == "systemd" {
			below = "systemd/system"
		}
		for _, f := range files {
			list = append(list, source{path: path.Join("/etc", below, f.Name()), stamped: true,
				shipped: []string{path.Join("/usr/local/lib", below, f.Name()), path.Join("/usr/lib", below, f.Name())}})
			names = append(names, path.Join(dir, f.Name()))
		}
	}
	for i := range list {
		data, err := fs.ReadFile(etc.FS, names[i])
		if err != nil {
			return nil, fmt.Errorf("cannot read what is embedded: %w", err)
		}
		list[i].data = bytes.ReplaceAll(data, []byte(etc.Program), []byte(o.Program))
	}
	return list, nil
}

// planFile says what is to be done about a file; nil: nothing.
func planFile(tree *safefs.Root, s *source, o Options) (*Change, error) {
	if found, err := findShipped(tree, s, o); found != nil || err != nil {
		return found, err
	}
	c := &Change{Path: s.path, Data: s.content()}
	st, err := tree.Lstat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Action = Wrote
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", s.path, cause(err))
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return changed(c, "it is a link or no file at all", o), nil
	}
	now, err := tree.ReadFile(s.path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", s.path, cause(err))
	}
	switch {
	case bytes.Equal(now, c.Data):
		return nil, nil
	case s.stamped && unchanged(now):
		c.Action = Updated
		return c, nil
	}
	return changed(c, "it is not as this sysct would write it", o), nil
}

// changed is for a file that somebody else has written or changed.
func changed(c *Change, why string, o Options) *Change {
	c.Action, c.Note = Kept, why+"; --force replaces it"
	if o.Force {
		c.Action, c.Note = Replaced, "what was there is now "+c.Path+"~"
	}
	return c
}

// findShipped: a file that a package or make install keeps needs no second one, and a second
// one would hide a package's newer. If it is for another program, one of the two has to go.
func findShipped(tree *safefs.Root, s *source, o Options) (*Change, error) {
	for _, p := range s.shipped {
		data, err := tree.ReadFile(p, maxFile)
		if err != nil {
			continue
		}
		own := !bytes.Contains(s.data, []byte(o.Program)) || bytes.Contains(data, []byte("="+o.Program+" "))
		switch {
		case own && bytes.Equal(data, s.data):
			return &Change{Action: Found, Path: p}, nil
		case own:
			return &Change{Action: Found, Path: p, Note: "of another version; who installed it keeps it current"}, nil
		case !o.Force:
			return nil, fmt.Errorf("cannot set up %s: %s runs another sysct, and %s would hide it\nhint: use that sysct, or remove it, or --force", o.Program, p, s.path)
		}
	}
	return nil, nil
}

// stampBegin begins the first line of a file of ours, which ends with the digest of all others:
// a later version replaces what nobody has changed.
const stampBegin = "# Written by sysct host init, which leaves it alone once it is changed; sha256 "

func stamp(data []byte) []byte { return append([]byte(stampBegin+digest(data)+"\n"), data...) }

// unchanged tells whether a file is as some version of sysct wrote it.
func unchanged(data []byte) bool {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	sum, ok := strings.CutPrefix(string(first), stampBegin)
	return ok && sum == digest(rest)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// touchesUnits tells whether systemd has something to read.
func touchesUnits(changes []Change) bool {
	for _, c := range changes {
		if strings.HasPrefix(c.Path, "/etc/systemd/") && (c.Action == Wrote || c.Action == Updated || c.Action == Replaced) {
			return true
		}
	}
	return false
}
