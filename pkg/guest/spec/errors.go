package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ParseError says what is wrong with a configuration file, and where.
type ParseError struct {
	File   string // as it was given to Parse or Load
	Line   int    // from 1; 0: the file as a whole
	Column int    // from 1, in characters; 0: unknown
	Field  string // the key, as in limits.memory or net[0].type; "": none
	Msg    string // the reason, without the rest
	Err    error  // what the system said, if it did
}

// Error is FILE:LINE:COLUMN: FIELD: MSG in one printable line.
func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Column > 0 {
		fmt.Fprintf(&b, ":%d", e.Column)
	}
	if e.Field != "" {
		b.WriteString(": " + shorten(e.Field, 100))
	}
	b.WriteString(": " + shorten(e.Msg, 400))
	return printable(b.String())
}

// Unwrap returns what the system said.
func (e *ParseError) Unwrap() error { return e.Err }

// show quotes a user's text for a message: one line, printable, not too long.
func show(s string) string { return strconv.Quote(shorten(s, 60)) }

// shorten cuts s to some n bytes, between characters.
func shorten(s string, n int) string {
	for i := range s {
		if i >= n {
			return s[:i] + "…"
		}
	}
	return s
}

// printable escapes what could do something to a terminal or break the line.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// wrongType says that a value of the file is not what its key takes.
func wrongType(want string, value any) error {
	return fmt.Errorf("must be %s, not %s", want, typeName(value))
}

// typeName is TOML's word for the type of a decoded value.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case []any, []map[string]any:
		return "an array"
	}
	return "a table"
}
