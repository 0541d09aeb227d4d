// Package aptsource reads the apt sources of the host and finds in them where a distribution is fetched from, so that a guest
// is built from the mirror that the host's administrator chose. It fetches nothing and knows no mirror itself.
package aptsource

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds a file of sources; more than this is no such file.
const maxFile = 1 << 20

// Entry is one place that binary packages come from.
type Entry struct {
	File       string   // base name of the file that it stands in
	URI        string   // as written, without a slash at the end
	Suites     []string // not empty
	Components []string // empty for a flat repository
	SignedBy   string   // path of a keyring, or the armoured key itself, or "" for the keys that apt trusts
}

// Read returns the entries of dir/sources.list and of dir/sources.list.d, in apt's order. Missing files are no error; what apt
// would not understand is left out.
func Read(dir string) ([]Entry, error) {
	files, err := filepath.Glob(filepath.Join(dir, "sources.list.d", "*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all []Entry
	for _, file := range append([]string{filepath.Join(dir, "sources.list")}, files...) {
		entries, err := readFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read apt sources: %w", err)
		}
		all = append(all, entries...)
	}
	return all, nil
}

func readFile(path string) ([]Entry, error) {
	var parse func(string) []Entry
	switch filepath.Ext(path) {
	case ".list":
		parse = ParseList
	case ".sources":
		parse = ParseDeb822
	default:
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of sources", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entries := parse(string(text))
	for i := range entries {
		entries[i].File = filepath.Base(path)
	}
	return entries, nil
}

// ParseList reads the one-line format: deb [option=value …] URI SUITE [COMPONENT …].
func ParseList(text string) []Entry {
	var entries []Entry
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		rest, isDeb := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !isDeb || rest == "" || !strings.ContainsAny(rest[:1], " \t[") {
			continue
		}
		options, rest := cutOptions(strings.TrimSpace(rest))
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		entries = append(entries, Entry{
			URI: strings.TrimRight(fields[0], "/"), Suites: fields[1:2], Components: fields[2:], SignedBy: options["signed-by"],
		})
	}
	return entries
}

func cutOptions(line string) (map[string]string, string) {
	inner, ok := strings.CutPrefix(line, "[")
	if !ok {
		return nil, line
	}
	inner, rest, _ := strings.Cut(inner, "]")
	options := map[string]string{}
	for _, field := range strings.Fields(inner) {
		key, value, _ := strings.Cut(field, "=")
		options[strings.ToLower(key)] = value
	}
	return options, rest
}
