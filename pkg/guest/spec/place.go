package spec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// error is a *ParseError about the key at path, at the place of that key or, if the
// file doesn't have it, of the nearest table around it that it has.
func (src *source) error(path, format string, args ...any) *ParseError {
	offset, ok := src.keys.find(path)
	if !ok {
		return &ParseError{File: src.file, Field: path, Msg: fmt.Sprintf(format, args...)}
	}
	return src.at(offset, path, format, args...)
}

// at is a *ParseError about the byte at offset.
func (src *source) at(offset int, path, format string, args ...any) *ParseError {
	line, column := src.place(offset)
	return &ParseError{File: src.file, Line: line, Column: column, Field: path, Msg: fmt.Sprintf(format, args...)}
}

// place turns an offset in bytes into a line and a column in characters, from 1.
func (src *source) place(offset int) (line, column int) {
	before := string(src.data[:max(0, min(offset, len(src.data)))])
	start := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[start:])
}

// line returns the text of a line, counted from 1.
func (src *source) line(n int) string {
	lines := strings.SplitN(string(src.data), "\n", n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return lines[n-1]
}

// find returns the offset of the key at path or of the nearest table around it.
func (k *keys) find(path string) (offset int, ok bool) {
	for path != "" {
		if offset, ok := k.found[path]; ok {
			return offset, true
		}
		if offset, ok := k.implied[path]; ok {
			return offset, true
		}
		if offset, ok := k.found[indexPath(path, 0)]; ok {
			return offset, true
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0, false
}

// before returns the path of the last key that begins at offset or before it.
func (k *keys) before(offset int) string {
	last, path := -1, ""
	for p, o := range k.found {
		if o <= offset && (o > last || o == last && len(p) > len(path)) {
			last, path = o, p
		}
	}
	return path
}

// joinPath appends a key to a path as TOML would write it: in quotes if it has other
// characters than bare keys have.
func joinPath(path, key string) string {
	if key == "" || !madeOf(key, letters+digits+"_-") {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// indexPath appends the index of an array's element to a path.
func indexPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
