package tomltext

import "strings"

// Unset returns the text without the key, and whether it was there. What goes are
// the lines that say something about it, with the comments on them; of a table, all
// that is in it. A key in a table or list that is one value goes with its comma.
func (d *Doc) Unset(key Key) (string, bool) {
	if n, s := d.value(key); n != nil && n != &s.node {
		return d.remove(s, n), true
	}
	var b strings.Builder
	at, found := 0, false
	for i := range d.statements {
		if s := &d.statements[i]; s.key.hasPrefix(key) {
			b.WriteString(d.text[at:s.line.start])
			at, found = s.line.end, true
		}
	}
	if b.WriteString(d.text[at:]); found && at == len(d.text) && !strings.HasSuffix(d.text, "\n") {
		// The last line had no end: nor has the one that is the last now.
		return strings.TrimSuffix(strings.TrimSuffix(b.String(), "\n"), "\r"), true
	}
	return b.String(), found
}

// remove takes a member out of the list or table in a value that holds it.
func (d *Doc) remove(s *statement, n *node) string {
	parent := s.parent(n)
	for i := range parent.children {
		if &parent.children[i] != n {
			continue
		}
		gone := n.whole
		switch last := i == len(parent.children)-1; {
		case !last || parent.comma:
			gone.end += strings.IndexByte(mask(d.text[gone.end:parent.value.end]), ',') + 1
			gone.end += len(d.indent(gone.end))
		case i > 0:
			before := parent.children[i-1].whole.end
			gone.start = before + strings.IndexByte(mask(d.text[before:gone.start]), ',')
		}
		return d.splice(gone, "")
	}
	return d.text
}

// parent returns the list or table in n that has child.
func (n *node) parent(child *node) *node {
	for i := range n.children {
		if &n.children[i] == child {
			return n
		}
		if found := n.children[i].parent(child); found != nil {
			return found
		}
	}
	return nil
}
