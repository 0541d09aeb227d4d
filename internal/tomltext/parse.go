package tomltext

import (
	"errors"
	"fmt"
	"strings"
)

// maxDepth bounds the nesting of values, and so the parser's stack.
const maxDepth = 64

// Doc is a text cut into its statements.
type Doc struct {
	text       string
	statements []statement
}

// statement is a table's head or a key with its value, in lines of its own.
type statement struct {
	node
	table  Key  // head: the table that it opens; pair: the one that is open
	isHead bool //
	line   span // the lines, with the last one's end
}

type span struct{ start, end int }

type nodeKind byte

const (
	plain nodeKind = iota // a string, a number, a date, a word
	list                  // [ … ]
	table                 // { … }
)

// node is a value and the key that leads to it.
type node struct {
	key      Key // from the root
	whole    span
	value    span
	kind     nodeKind
	children []node
	comma    bool // there is one after the last child
}

// parser walks over the tokens as TOML's grammar has them.
type parser struct {
	Scanner
	token  Token
	last   int            // the end of the token before it
	counts map[string]int // how many [[heads]] of a path there were
	doc    *Doc
}

var (
	errSyntax = errors.New("is not TOML")
	errMark   = errors.New("begins with a byte order mark: save it as plain UTF-8")
)

// Parse cuts a text into statements. A text that a parser of TOML takes is taken;
// others may be, too.
func Parse(text string) (*Doc, error) {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if strings.HasPrefix(text, mark) {
			return nil, errMark
		}
	}
	p := &parser{Scanner: Scanner{text: text}, counts: map[string]int{}, doc: &Doc{text: text}}
	p.advance()
	var open Key
	for p.token.Kind != EndOfText {
		if p.take(Newline) {
			continue
		}
		s, err := p.statement(open)
		if err != nil {
			return nil, fmt.Errorf("line %d %w", 1+strings.Count(text[:p.token.Start], "\n"), err)
		}
		open = s.table
		p.doc.statements = append(p.doc.statements, s)
	}
	return p.doc, nil
}

func (p *parser) advance() {
	p.last = p.token.End
	p.token = p.Next()
}

// take takes a token of that kind, if it is the next.
func (p *parser) take(kind Kind) bool {
	if p.token.Kind != kind {
		return false
	}
	p.advance()
	return true
}

func (p *parser) statement(open Key) (s statement, err error) {
	start := p.token.Start
	if p.token.Kind == '[' {
		s.isHead = true
		s.table, err = p.head()
		s.key = s.table
	} else {
		s.table = open
		s.node, err = p.pair(open, 1)
	}
	if err != nil {
		return s, err
	}
	if p.token.Kind != Newline && p.token.Kind != EndOfText {
		return s, errSyntax
	}
	s.line = span{strings.LastIndexByte(p.text[:start], '\n') + 1, p.token.End}
	return s, nil
}

// head reads [table] or [[array of tables]].
func (p *parser) head() (Key, error) {
	p.advance()
	isArray := p.take('[')
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	var key Key
	for i, name := range names {
		key = key.with(Named(name))
		path := key.String()
		if i == len(names)-1 && isArray {
			p.counts[path]++
		}
		if n := p.counts[path]; n > 0 {
			key = key.with(At(n - 1))
		}
	}
	if !p.take(']') || isArray && !p.take(']') {
		return nil, errSyntax
	}
	return key, nil
}

// pair reads KEY = VALUE in a table.
func (p *parser) pair(table Key, depth int) (node, error) {
	start := p.token.Start
	names, err := p.names()
	if err != nil {
		return node{}, err
	}
	key := table
	for _, name := range names {
		key = key.with(Named(name))
	}
	if !p.take('=') {
		return node{}, errSyntax
	}
	n, err := p.value(key, depth)
	n.whole.start = start
	return n, err
}

// names reads the parts of a dotted key.
func (p *parser) names() (names []string, err error) {
	for {
		if p.token.Kind != Bare && p.token.Kind != Quoted || len(names) == maxDepth {
			return nil, errSyntax
		}
		names = append(names, p.token.Text)
		p.advance()
		if !p.take('.') {
			return names, nil
		}
	}
}

func (p *parser) value(key Key, depth int) (n node, err error) {
	n.key = key
	start := p.token.Start
	switch {
	case depth > maxDepth:
		return n, errors.New("is nested too deep")
	case p.token.Kind == '[':
		n.kind = list
		err = p.members(&n, ']', func(i int) (node, error) { return p.value(key.with(At(i)), depth+1) })
	case p.token.Kind == '{':
		n.kind = table
		err = p.members(&n, '}', func(int) (node, error) { return p.pair(key, depth+1) })
	case p.token.Kind == Bare || p.token.Kind == Quoted || p.token.Kind == '.':
		for p.token.Kind == Bare || p.token.Kind == Quoted || p.token.Kind == '.' {
			p.advance()
		}
	default:
		err = errSyntax
	}
	n.value = span{start, p.last}
	n.whole = n.value
	return n, err
}

// members reads what a list or a table in one value holds.
func (p *parser) members(n *node, closing Kind, read func(i int) (node, error)) error {
	p.advance()
	for {
		p.newlines()
		if p.take(closing) {
			return nil
		}
		if len(n.children) > 0 && !n.comma {
			return errSyntax
		}
		child, err := read(len(n.children))
		if err != nil {
			return err
		}
		n.children = append(n.children, child)
		p.newlines()
		n.comma = p.take(',')
	}
}

func (p *parser) newlines() {
	for p.take(Newline) {
	}
}
