package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/templates"
)

// builtIn is the Source of a template that is part of the program.
const builtIn = "built-in"

// maxTemplate bounds a template's file, in bytes.
const maxTemplate = 256 << 10

// NotFoundError is a template that doesn't exist.
type NotFoundError struct {
	Name    string
	Nearest string // a template of a similar name, or ""
}

// Error names the template that may have been meant.
func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("cannot find template %q", e.Name)
	if e.Nearest != "" {
		text += fmt.Sprintf(" (did you mean %q?)", e.Nearest)
	}
	return text
}

// Templates returns the built-in templates and those in the files NAME.toml of dirs, by name; of the same name the file in the
// last of dirs wins. Directories may be missing. If some files can't be read or are refused, the others are returned with the
// error.
func Templates(dirs []string) ([]Template, error) {
	files, err := locate(dirs)
	failed := []error{err}
	var all []Template
	for name, source := range files {
		t, err := load(name, source)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Template) int { return strings.Compare(a.Name, b.Name) })
	return all, errors.Join(failed...)
}

// Find returns the template of that name, or a *NotFoundError.
func Find(dirs []string, name string) (*Template, error) {
	files, err := locate(dirs)
	if err != nil {
		return nil, err
	}
	source, ok := files[name]
	if !ok {
		names := make([]string, 0, len(files))
		for known := range files {
			names = append(names, known)
		}
		slices.Sort(names)
		return nil, &NotFoundError{name, nearest.Of(name, names)}
	}
	return load(name, source)
}

// locate maps each template's name to its source.
func locate(dirs []string) (map[string]string, error) {
	found := map[string]string{}
	entries, err := templates.FS.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		found[strings.TrimSuffix(e.Name(), ".toml")] = builtIn
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot list templates: %w", err)
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok {
				found[name] = filepath.Join(dir, e.Name())
			}
		}
	}
	return found, nil
}

func load(name, source string) (*Template, error) {
	text, err := read(name, source)
	if err != nil {
		return nil, fmt.Errorf("cannot read template %q: %w", name, err)
	}
	return parseTemplate(name, source, text)
}

// read reads a template as root is to believe it: from a file that only its owner, root, can change.
func read(name, source string) ([]byte, error) {
	if source == builtIn {
		return templates.FS.ReadFile(name + ".toml")
	}
	text, stat, err := atomicfile.Read(unix.AT_FDCWD, source, maxTemplate)
	switch {
	case err != nil:
		return nil, err
	case stat.Mode&0o022 != 0:
		return nil, fmt.Errorf("%s may be changed by others than its owner (mode %04o)", source, stat.Mode&0o7777)
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return nil, fmt.Errorf("%s belongs to user %d, not to root", source, stat.Uid)
	}
	return text, nil
}

// tomlKeys lists the keys of a table.
func tomlKeys[T any]() []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if key := f.Tag.Get("toml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}
