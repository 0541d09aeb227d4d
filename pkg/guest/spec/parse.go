package spec

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// maxSize bounds a configuration file, in bytes.
const maxSize = 1 << 20

const tooLarge = "is larger than 1 MiB"

// Parse reads the content of a guest's configuration file; name stands for the file
// in errors, which are all *ParseError. What the file doesn't say is as in Default.
// Refused are, with their place: syntax errors, unknown and duplicate keys, wrong
// types, impossible values, control characters in values, a schema newer than this
// program, a byte order mark, text that isn't UTF-8, deep nesting, and more than
// 1 MiB. What the file includes isn't looked at: see [Layers].
func Parse(data []byte, name string) (*Guest, error) {
	return (*Layers)(nil).Parse(data, name)
}

// source is a file that is being read: its text, and where its keys are.
type source struct {
	file  string
	data  []byte
	keys  *keys
	table map[string]any
}

// decode reads the text into the struct that target points to.
func (src *source) decode(target any, fields []Field, version int) error {
	if err := src.checkText(); err != nil {
		return err
	}
	table, err := src.parse()
	if err != nil {
		return err
	}
	if err := src.checkVersion(table, version); err != nil {
		return err
	}
	src.table = table
	d := &decoder{src: src, fields: fields}
	d.root(table, target)
	return d.err()
}

// checkText refuses what isn't plain UTF-8 text of a reasonable size, before
// anything looks at its structure.
func (src *source) checkText() error {
	text := string(src.data)
	bom := strings.HasPrefix(text, "\xef\xbb\xbf") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff")
	switch {
	case len(text) > maxSize:
		return &ParseError{File: src.file, Msg: tooLarge}
	case bom:
		return &ParseError{File: src.file, Line: 1, Column: 1, Msg: "begins with a byte order mark: save it as plain UTF-8"}
	}
	if i := invalidByte(text); i >= 0 {
		return src.at(i, "", "is not UTF-8 text: byte 0x%02x", text[i])
	}
	return nil
}

// invalidByte returns the offset of the first byte that isn't UTF-8, or -1.
func invalidByte(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			return i
		}
	}
	return -1
}

// parse turns the text into TOML's tables.
func (src *source) parse() (table map[string]any, err error) {
	// The scan bounds what the parser, which is recursive and builds a string of
	// every key's whole path, gets to see.
	src.keys = scanKeys(string(src.data))
	if limit := src.keys.limit; limit != nil {
		return nil, src.at(limit.offset, "", "%s", limit.msg)
	}
	// A parser of somebody else's must not take the program down.
	defer func() {
		if r := recover(); r != nil {
			err = &ParseError{File: src.file, Msg: show(fmt.Sprint("cannot be parsed: ", r))}
		}
	}()
	text := string(src.data[:src.keys.end])
	if _, err := toml.Decode(withoutComments(text), &table); err != nil {
		// Again, for the place of what is wrong.
		clear(table)
		if _, err := toml.Decode(text, &table); err != nil {
			return nil, src.syntaxError(err)
		}
	}
	if src.keys.end < len(src.data) {
		return nil, src.at(src.keys.end, "", "syntax error")
	}
	// The parser lets some pass: limits.pids = 1, then [limits].
	if dups := src.keys.duplicates; len(dups) > 0 {
		return nil, src.duplicate(dups[0])
	}
	return table, nil
}

// withoutComments leaves lines out that are nothing but a comment: in a file that was
// commented on creation nearly all are, and the parser takes a millisecond for them. Its
// own rules stay: one with a character that no comment may have is kept.
func withoutComments(text string) string {
	if strings.Contains(text, `"""`) || strings.Contains(text, "'''") {
		return text // a line may be a string's
	}
	var b strings.Builder
	b.Grow(len(text))
	for line := range strings.Lines(text) {
		if !isComment(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func isComment(line string) bool {
	line = strings.TrimSuffix(line, "\n")
	if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
		return false
	}
	return !strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// syntaxError words an error of the TOML parser.
func (src *source) syntaxError(err error) error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return &ParseError{File: src.file, Msg: err.Error(), Err: err}
	}
	result := src.at(pe.Position.Start, "", "%s", pe.Message)
	for _, dup := range src.keys.duplicates {
		if line, _ := src.place(dup.offset); line == result.Line {
			return src.duplicate(dup)
		}
	}
	result.Field = src.keys.before(pe.Position.Start)
	if bare := bareUnit(src.line(result.Line)); bare != "" {
		result.Msg += fmt.Sprintf("; a value with a unit is written in quotes: %q", bare)
	}
	return result
}

func (src *source) duplicate(dup duplicate) *ParseError {
	first, _ := src.place(dup.first)
	return src.at(dup.offset, dup.path, "duplicate key: first set in line %d", first)
}

// bareUnit finds the value of a line like memory = 512M, whose quotes were forgotten.
func bareUnit(line string) string {
	_, value, _ := strings.Cut(line, "=")
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimSpace(value)
	unit := strings.TrimLeft(value, digits+".")
	if unit == value || len(unit) == 0 || len(unit) > 3 || !madeOf(unit, letters+"%") {
		return ""
	}
	return value
}

// checkVersion comes before all that judges keys: a newer schema may have others.
func (src *source) checkVersion(table map[string]any, known int) error {
	if version, ok := table["version"].(int64); ok && version > int64(known) {
		return src.error("version", "schema version %d is newer than the %d that this sysct knows: use a newer sysct", version, known)
	}
	return nil
}
