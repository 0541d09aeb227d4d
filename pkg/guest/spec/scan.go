package spec

import (
	"strconv"
	"strings"
)

// tokenKind is the token's own character for punctuation and line ends.
type tokenKind byte

const (
	endOfText tokenKind = 0
	newline   tokenKind = '\n'
	bare      tokenKind = 'a' // a bare key, or a piece of a number, a date, a word
	quoted    tokenKind = '"' // a string of any of the four kinds
)

type token struct {
	kind   tokenKind
	text   string // of a key; empty for a long string, which can't be one
	offset int
}

// scanner cuts TOML into tokens. It is lenient: it need not find what is wrong, but
// must agree with the parser on every text that is right.
type scanner struct {
	text string
	pos  int
}

// next returns the next token; white space and comments are none.
func (s *scanner) next() token {
	s.skip()
	if s.pos >= len(s.text) {
		return token{kind: endOfText, offset: len(s.text)}
	}
	start := s.pos
	switch c := s.text[start]; c {
	case '\n', '[', ']', '{', '}', '=', ',', '.':
		s.pos++
		return token{kind: tokenKind(c), offset: start}
	case '"', '\'':
		return token{kind: quoted, text: s.quoted(c), offset: start}
	}
	length := strings.IndexAny(s.text[start:], " \t\r\n#[]{}=,.\"'")
	if length < 0 {
		length = len(s.text) - start
	}
	s.pos += length
	return token{kind: bare, text: s.text[start:s.pos], offset: start}
}

func (s *scanner) skip() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r':
			s.pos++
		case '#':
			if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
				s.pos += i
			} else {
				s.pos = len(s.text)
			}
		default:
			return
		}
	}
}

// quoted skips a string that begins with the quote q and returns what it says.
func (s *scanner) quoted(q byte) string {
	long := strings.Repeat(string(q), 3)
	if strings.HasPrefix(s.text[s.pos:], long) {
		s.pos += len(long)
		s.skipLong(q, long)
		return ""
	}
	start := s.pos + 1
	for s.pos = start; s.pos < len(s.text) && s.text[s.pos] != q && s.text[s.pos] != '\n'; s.pos++ {
		if q == '"' && s.text[s.pos] == '\\' {
			s.pos++
		}
	}
	s.pos = min(s.pos, len(s.text))
	said := s.text[start:s.pos]
	if s.pos < len(s.text) && s.text[s.pos] == q {
		s.pos++
	}
	if q == '"' && strings.Contains(said, `\`) {
		if plain, err := strconv.Unquote(`"` + said + `"`); err == nil {
			return plain
		}
	}
	return said
}

// skipLong goes past the end of a long string, which may hold up to two quotes
// before the three that end it.
func (s *scanner) skipLong(q byte, end string) {
	for s.pos < len(s.text) && !strings.HasPrefix(s.text[s.pos:], end) {
		if q == '"' && s.text[s.pos] == '\\' {
			s.pos++
		}
		s.pos++
	}
	s.pos = min(s.pos+len(end), len(s.text))
	for extra := 0; extra < 2 && s.pos < len(s.text) && s.text[s.pos] == q; extra++ {
		s.pos++
	}
}
