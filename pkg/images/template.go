// Package images builds the images that guests are made from: it reads templates, turns a user's template arguments into a
// recipe, builds the recipe once, and keeps the result in a cache that is shared by all guests.
//
// It is not for what becomes of an image in a guest: package store copies, clones and mounts it.
package images

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/sysct/sysct/internal/nearest"
)

// templateVersion is the schema of template files that this package reads.
const templateVersion = 1

// Template says how the root file system of a kind of guest is made. It is data: the methods are in this package.
type Template struct {
	Name        string `toml:"-"` // the file's name without .toml
	Source      string `toml:"-"` // path of the file, or "built-in"
	Version     int    `toml:"version"`
	Description string `toml:"description"`
	Method      string `toml:"method"` // "debootstrap" or "busybox"
	Args        []Arg  `toml:"arg"`    // those that the user may give

	Debootstrap *Debootstrap `toml:"debootstrap"`
	Busybox     *Busybox     `toml:"busybox"`
	Tree        Tree         `toml:"tree"`

	text []byte // the file, for the key of its images
}

// Arg is an option of a template. What its value means is the method's; one without a default may be left out.
type Arg struct {
	Long    string   `toml:"long"`
	Short   string   `toml:"short"` // one letter, or ""
	Default string   `toml:"default"`
	Values  []string `toml:"values"` // the known ones, if they can be listed
	Open    bool     `toml:"open"`   // others than the known ones are accepted unless they look like a typing error
	Help    string   `toml:"help"`
}

// IsSwitch tells whether the option takes no value.
func (a Arg) IsSwitch() bool { return optionOf(a.Long).isSwitch }

// Debootstrap is how mmdebstrap and debootstrap are to be called.
type Debootstrap struct {
	Origin         string    `toml:"origin"`          // of the release files: finds the distribution in the host's apt sources
	Keyring        string    `toml:"keyring"`         // path, in the host and in the guest
	KeyringPackage string    `toml:"keyring_package"` // what to install on a host without it
	Variant        string    `toml:"variant"`
	Components     []string  `toml:"components"`
	Include        []string  `toml:"include"`
	IncludeHTTPS   []string  `toml:"include_https"` // added if a mirror is https
	Releases       []Release `toml:"release"`       // those with more than one suite
	Inits          []Init    `toml:"init"`          // one at least for each value of the argument "init"

	Parts map[string]Tree `toml:"part"` // what several inits have
}

// Release is what is particular to a release: the suites it has beside the one of its name, and mmdebstrap's hooks.
type Release struct {
	Name     string   `toml:"name"`
	More     []string `toml:"more"`     // from the same mirror
	Security string   `toml:"security"` // from the security mirror
	Hooks    []string `toml:"hooks"`    // names of hook directories that come with mmdebstrap
}

// Init is what is particular to a system with that init.
type Init struct {
	Name     string   `toml:"name"`     // as the argument "init" has it
	Releases []string `toml:"releases"` // those that this is for; none: all that no other Init of the name lists
	Include  []string `toml:"include"`
	Exclude  []string `toml:"exclude"` // what debootstrap, which knows no alternatives, would install instead: it can't make such a system
	Parts    []string `toml:"parts"`   // done after the template's own tree
	Tree     Tree     `toml:"tree"`    // and this after them
}

// Busybox says where the host's static busybox is looked for.
type Busybox struct {
	Paths   []string `toml:"paths"`
	Package string   `toml:"package"` // Debian's name of it
	Skip    []string `toml:"skip"`    // applets that get no link
}

// Tree is what is done to a finished tree, in this order.
type Tree struct {
	Remove   []string `toml:"remove"` // paths, with a pattern as their last part; directories with all that is in them
	Dirs     []Dir    `toml:"dir"`
	Empty    []string `toml:"empty"` // files that are to be there, empty
	Files    []File   `toml:"file"`
	Links    []Link   `toml:"link"`
	LockRoot bool     `toml:"lock_root"` // nobody logs in as root by password
}

// Dir is a directory to make; one that exists gets the mode.
type Dir struct {
	Path string `toml:"path"`
	Mode uint32 `toml:"mode"`
}

// File is a file to write. A first empty line of the text does not count.
type File struct {
	Path string `toml:"path"`
	Mode uint32 `toml:"mode"`
	Text string `toml:"text"`
}

// Link is a symlink to make.
type Link struct {
	Path   string `toml:"path"`
	Target string `toml:"target"`
}

// parseTemplate reads the text of a template's file.
func parseTemplate(name, source string, text []byte) (*Template, error) {
	t := &Template{Name: name, Source: source, text: text}
	meta, err := toml.Decode(string(text), t)
	if err == nil {
		err = unknownKeys(meta)
	}
	if err == nil {
		err = t.check()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read template %q (%s): %w", name, source, err)
	}
	return t, nil
}

// unknownKeys refuses keys that mean nothing, and so would be silently without effect.
func unknownKeys(meta toml.MetaData) error {
	undecoded := meta.Undecoded()
	if len(undecoded) == 0 {
		return nil
	}
	key := undecoded[0]
	known := slices.Concat(tomlKeys[Template](), tomlKeys[Arg](), tomlKeys[Debootstrap](), tomlKeys[Release](), tomlKeys[Init](), tomlKeys[Busybox](),
		tomlKeys[Tree](), tomlKeys[Dir](), tomlKeys[File](), tomlKeys[Link]())
	if near := nearest.Of(key[len(key)-1], known); near != "" {
		return fmt.Errorf("unknown key %q (did you mean %q?)", key.String(), near)
	}
	return fmt.Errorf("unknown key %q", key.String())
}

func (t *Template) check() error {
	m, ok := methodOf(t.Method)
	switch {
	case !isTemplateName(t.Name):
		return errors.New("a template's name has small letters, digits, '.', '_' and '-'")
	case t.Version != templateVersion:
		return fmt.Errorf("version is %d, this program knows %d", t.Version, templateVersion)
	case !ok:
		return fmt.Errorf("unknown method %q", t.Method)
	}
	for _, a := range t.Args {
		if !slices.Contains(m.options, a.Long) {
			return fmt.Errorf("method %q has no argument %q", t.Method, a.Long)
		}
		if a.Short != "" && (len(a.Short) != 1 || a.Short == "-") {
			return fmt.Errorf("short form %q of argument %q is not one letter", a.Short, a.Long)
		}
		if err := a.check(a.Default); err != nil {
			return fmt.Errorf("default of argument %q: %w", a.Long, err)
		}
	}
	return errors.Join(m.check(t), t.Tree.check())
}

func (tree *Tree) check() error {
	paths := slices.Concat(tree.Remove, tree.Empty)
	for _, d := range tree.Dirs {
		paths = append(paths, d.Path)
	}
	for _, f := range tree.Files {
		paths = append(paths, f.Path)
	}
	for _, l := range tree.Links {
		paths = append(paths, l.Path)
	}
	for _, p := range paths {
		if !fs.ValidPath(strings.TrimPrefix(p, "/")) || !path.IsAbs(p) || p == "/" {
			return fmt.Errorf("%q is not an absolute path", p)
		}
		if _, err := path.Match(path.Base(p), ""); err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
	}
	return nil
}
