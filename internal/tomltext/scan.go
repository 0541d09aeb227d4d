package tomltext

import (
	"strconv"
	"strings"
)

// Kind is a token's own character for punctuation and line ends.
type Kind byte

// The kinds that aren't punctuation.
const (
	EndOfText Kind = 0
	Newline   Kind = '\n'
	Bare      Kind = 'a' // a bare key, or a piece of a number, a date, a word
	Quoted    Kind = '"' // a string of any of the four kinds
)

// Token is a piece of TOML. Start and End are offsets in bytes.
type Token struct {
	Kind       Kind
	Text       string // of a key; empty for a long string, which can't be one
	Start, End int
}

// Scanner cuts TOML into tokens. It is lenient: it need not find what is wrong, but
// must agree with the parser on every text that is right.
type Scanner struct {
	text string
	pos  int
}

// NewScanner returns a scanner at the beginning of text.
func NewScanner(text string) Scanner { return Scanner{text: text} }

// Next returns the next token; white space and comments are none.
func (s *Scanner) Next() Token {
	s.skip()
	if s.pos >= len(s.text) {
		return Token{Kind: EndOfText, Start: len(s.text), End: len(s.text)}
	}
	start := s.pos
	switch c := s.text[start]; c {
	case '\n', '[', ']', '{', '}', '=', ',', '.':
		s.pos++
		return Token{Kind: Kind(c), Start: start, End: s.pos}
	case '"', '\'':
		text := s.quoted(c)
		return Token{Kind: Quoted, Text: text, Start: start, End: s.pos}
	}
	length := strings.IndexAny(s.text[start:], " \t\r\n#[]{}=,.\"'")
	if length < 0 {
		length = len(s.text) - start
	}
	s.pos += length
	return Token{Kind: Bare, Text: s.text[start:s.pos], Start: start, End: s.pos}
}

func (s *Scanner) skip() {
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
func (s *Scanner) quoted(q byte) string {
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
func (s *Scanner) skipLong(q byte, end string) {
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
