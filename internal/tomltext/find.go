package tomltext

import "slices"

// Has tells whether the document says something about the key: a value, or a table
// with or without anything in it.
func (d *Doc) Has(key Key) bool {
	for i := range d.statements {
		if d.statements[i].has(key) {
			return true
		}
	}
	return false
}

// Text returns the value of the key as it is written, and whether there is one.
func (d *Doc) Text(key Key) (string, bool) {
	n, _ := d.value(key)
	if n == nil {
		return "", false
	}
	return d.text[n.value.start:n.value.end], true
}

// has tells whether n is the value of key, or something in it, or has it in itself.
func (n *node) has(key Key) bool {
	if n.key.hasPrefix(key) {
		return true
	}
	return slices.ContainsFunc(n.children, func(child node) bool { return child.has(key) })
}

// find returns the value with exactly that key in n, or nil.
func (n *node) find(key Key) *node {
	if len(n.key) == len(key) && n.key.hasPrefix(key) {
		return n
	}
	for i := range n.children {
		if found := n.children[i].find(key); found != nil {
			return found
		}
	}
	return nil
}

// value returns the value of the key and the statement that it is in, or nil.
func (d *Doc) value(key Key) (*node, *statement) {
	for i := range d.statements {
		s := &d.statements[i]
		if s.isHead {
			continue
		}
		if n := s.find(key); n != nil {
			return n, s
		}
	}
	return nil, nil
}

// container returns the innermost list or table in a value that the key would be in,
// or the plain value that is in its way; nil if there is none.
func (d *Doc) container(key Key) *node {
	for n := len(key) - 1; n > 0; n-- {
		if found, _ := d.value(key[:n]); found != nil {
			return found
		}
	}
	return nil
}

// head returns the number of the statement that opens the table, or -1. The root is
// opened by nothing and has -1 too.
func (d *Doc) head(table Key) int {
	for i := range d.statements {
		s := &d.statements[i]
		if s.isHead && len(s.table) == len(table) && s.table.hasPrefix(table) {
			return i
		}
	}
	return -1
}

// region is the lines from behind the head with that number to the next one.
func (d *Doc) region(head int) span {
	r := span{0, len(d.text)}
	if head >= 0 {
		r.start = d.statements[head].line.end
	}
	for _, s := range d.statements[head+1:] {
		if s.isHead {
			r.end = s.line.start
			break
		}
	}
	return r
}

// lastBelow returns the last statement whose key has that prefix, or nil.
func (d *Doc) lastBelow(prefix Key) *statement {
	for i := len(d.statements) - 1; i >= 0; i-- {
		if s := &d.statements[i]; s.key.hasPrefix(prefix) {
			return s
		}
	}
	return nil
}

// dotted returns the last pair that, from a table around it, makes the table by a
// dotted key: such a table has no head, and the tables in it need none. It returns
// nil if there is none.
func (d *Doc) dotted(table Key) *statement {
	for n := len(table); n > 0 && d.head(table[:n]) < 0; n-- {
		for i := len(d.statements) - 1; i >= 0; i-- {
			s := &d.statements[i]
			if !s.isHead && len(s.table) < n && len(s.key) > n && s.key.hasPrefix(table[:n]) {
				return s
			}
		}
	}
	return nil
}
