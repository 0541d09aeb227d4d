package tomltext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Key is a path from the root of a document: limits.memory, net[0].type.
type Key []Part

// Part is a step of a Key: into a table, by a name, or into an array.
type Part struct {
	Name  string
	Index int // from 0; NoIndex for a name
}

// NoIndex is the Index of a Part that is a name.
const NoIndex = -1

// Named is the Part with that name.
func Named(name string) Part { return Part{Name: name, Index: NoIndex} }

// At is the Part with that index.
func At(index int) Part { return Part{Index: index} }

// ParseKey reads a key as String writes it. Quoted names are as in TOML.
func ParseKey(text string) (Key, error) {
	s := Scanner{text: text}
	var key Key
	bad := fmt.Errorf("%s is not a key: write it as in limits.memory", strconv.Quote(text))
	for token := s.Next(); ; token = s.Next() {
		if token.Kind != Quoted && (token.Kind != Bare || !isBare(token.Text)) {
			return nil, bad
		}
		key = append(key, Named(token.Text))
		end := token.End
		token = s.Next()
		for token.Kind == '[' {
			number, closing := s.Next(), s.Next()
			index, err := strconv.Atoi(number.Text)
			if number.Kind != Bare || err != nil || index < 0 || closing.Kind != ']' {
				return nil, bad
			}
			key = append(key, At(index))
			end = closing.End
			token = s.Next()
		}
		if token.Kind == EndOfText && end == len(text) {
			return key, nil
		}
		if token.Kind != '.' {
			return nil, bad
		}
	}
}

// String is the key in one line.
func (k Key) String() string {
	var b strings.Builder
	for i, part := range k {
		switch {
		case part.Index != NoIndex:
			fmt.Fprintf(&b, "[%d]", part.Index)
		case i > 0:
			b.WriteString("." + quoteName(part.Name))
		default:
			b.WriteString(quoteName(part.Name))
		}
	}
	return b.String()
}

// with is the key with one more part, in memory of its own.
func (k Key) with(part Part) Key { return append(slices.Clip(k), part) }

func (k Key) hasPrefix(prefix Key) bool {
	return len(k) >= len(prefix) && slices.Equal(k[:len(prefix)], prefix)
}

// element returns the first n parts of k where the last of them is an index and n is
// the greatest such number, or none.
func (k Key) element() Key {
	for n := len(k); n > 0; n-- {
		if k[n-1].Index != NoIndex {
			return k[:n]
		}
	}
	return nil
}

// hasIndex tells whether an element of an array is on the way.
func (k Key) hasIndex() bool { return k.element() != nil }

// names is the key as it stands in a head, which names no index.
func (k Key) names() string {
	var names Key
	for _, part := range k {
		if part.Index == NoIndex {
			names = append(names, part)
		}
	}
	return names.String()
}

func isBare(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

func quoteName(name string) string {
	if isBare(name) {
		return name
	}
	return Quote(name)
}

// Quote is TOML's basic string of a text in UTF-8.
func Quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
