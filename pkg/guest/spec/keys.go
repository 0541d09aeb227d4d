package spec

import (
	"fmt"

	"github.com/sysct/sysct/internal/tomltext"
)

// What a configuration can't need, and a parser needs not survive.
const (
	maxDepth = 16  // of nested values, and of the parts of a key
	maxPath  = 256 // bytes of a key with the tables around it
)

// keys is where the keys of a text are, by their paths: limits.memory, net[0].type.
type keys struct {
	found      map[string]int // offset of the first definition
	implied    map[string]int // offset of the first mention, as of a in [a.b]
	duplicates []duplicate
	limit      *limit // the first place where a bound was passed
	end        int    // the text is TOML up to here at most
}

type duplicate struct {
	path          string
	first, offset int
}

type limit struct {
	offset int
	msg    string
}

// keyScanner walks over the tokens as TOML's grammar has them. It stops at what it
// can't understand.
type keyScanner struct {
	tomltext.Scanner
	keys
	token  tomltext.Token
	arrays map[string]int // how many [[tables]] of a path there were
	stuck  bool
}

// scanKeys finds the keys of text.
func scanKeys(text string) *keys {
	s := &keyScanner{Scanner: tomltext.NewScanner(text), arrays: map[string]int{}}
	s.found, s.implied = map[string]int{}, map[string]int{}
	s.advance()
	prefix := ""
	for s.token.Kind != tomltext.EndOfText && !s.stuck {
		switch s.token.Kind {
		case tomltext.Newline:
			s.advance()
		case '[':
			prefix = s.header()
			s.endLine()
		default:
			s.pair(prefix, 1)
			s.endLine()
		}
	}
	s.end = len(text)
	if s.stuck {
		// The token itself stays in, so that the parser has something to complain of.
		s.end = s.token.End
	}
	return &s.keys
}

func (s *keyScanner) advance() { s.token = s.Next() }

// endLine expects the end of a statement.
func (s *keyScanner) endLine() {
	if s.token.Kind != tomltext.Newline && s.token.Kind != tomltext.EndOfText {
		s.stuck = true
	}
}

// take takes a token of that kind, if it is the next.
func (s *keyScanner) take(kind tomltext.Kind) bool {
	if s.token.Kind != kind {
		return false
	}
	s.advance()
	return true
}

// header reads [table] or [[array of tables]] and returns its path.
func (s *keyScanner) header() string {
	offset := s.token.Start
	s.take('[')
	isArray := s.take('[')
	parts := s.key()
	path := ""
	for i, part := range parts {
		path = joinPath(path, part)
		if i == len(parts)-1 {
			break
		}
		s.imply(path, offset)
		if n := s.arrays[path]; n > 0 {
			path = indexPath(path, n-1)
		}
	}
	if s.stuck {
		return path
	}
	if isArray {
		n := s.arrays[path]
		s.arrays[path] = n + 1
		path = indexPath(path, n)
	}
	s.define(path, offset)
	s.stuck = s.stuck || !s.take(']') || isArray && !s.take(']')
	return path
}

// pair reads KEY = VALUE in the table at prefix.
func (s *keyScanner) pair(prefix string, depth int) {
	offset := s.token.Start
	path := prefix
	parts := s.key()
	if s.stuck {
		return
	}
	for i, part := range parts {
		path = joinPath(path, part)
		if _, ok := s.found[path]; !ok && i < len(parts)-1 {
			// In found, because [a] after a.b = 1 is a duplicate.
			s.found[path] = offset
		}
	}
	s.define(path, offset)
	if s.stuck = s.stuck || !s.take('='); !s.stuck {
		s.value(path, depth)
	}
}

// key reads the parts of a dotted key.
func (s *keyScanner) key() (parts []string) {
	for {
		if s.token.Kind != tomltext.Bare && s.token.Kind != tomltext.Quoted {
			s.stuck = true
			return parts
		}
		if len(parts) == maxDepth {
			s.exceed("a key has more than %d parts", maxDepth)
		}
		parts = append(parts, s.token.Text)
		s.advance()
		if s.stuck || !s.take('.') {
			return parts
		}
	}
}

// value skips a value and finds the keys in it.
func (s *keyScanner) value(path string, depth int) {
	if depth > maxDepth {
		s.exceed("values are nested deeper than %d levels", maxDepth)
		return
	}
	switch s.token.Kind {
	case '[':
		s.list(']', func(i int) { s.value(indexPath(path, i), depth+1) })
	case '{':
		s.list('}', func(int) { s.pair(path, depth+1) })
	case tomltext.Bare, tomltext.Quoted, '.':
		for s.token.Kind == tomltext.Bare || s.token.Kind == tomltext.Quoted || s.token.Kind == '.' {
			s.advance()
		}
	default:
		s.stuck = true
	}
}

// list reads items separated by commas up to the closing bracket.
func (s *keyScanner) list(closing tomltext.Kind, item func(i int)) {
	s.advance()
	for i := 0; !s.stuck; i++ {
		for s.take(tomltext.Newline) {
		}
		if s.take(closing) {
			return
		}
		item(i)
		for s.take(tomltext.Newline) {
		}
		if !s.stuck && !s.take(',') && s.token.Kind != closing {
			s.stuck = true
		}
	}
}

// define notes where a key is.
func (s *keyScanner) define(path string, offset int) {
	if len(path) > maxPath {
		s.exceed("a key with its tables is longer than %d bytes", maxPath)
		return
	}
	if first, ok := s.found[path]; ok {
		s.duplicates = append(s.duplicates, duplicate{path, first, offset})
		return
	}
	s.found[path] = offset
}

// imply notes where a table is mentioned that may still be defined.
func (s *keyScanner) imply(path string, offset int) {
	if _, ok := s.implied[path]; !ok {
		s.implied[path] = offset
	}
}

// exceed notes a passed bound and stops.
func (s *keyScanner) exceed(format string, n int) {
	if s.limit == nil {
		s.limit = &limit{s.token.Start, fmt.Sprintf(format, n)}
	}
	s.stuck = true
}
