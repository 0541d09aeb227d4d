package tomltext

import (
	"fmt"
	"strings"
)

// Set returns the text with key = literal, which is TOML's text of a value. A key
// that is there keeps its place and what else is on its line. A new one comes behind
// a comment like "# key = …" in its table, if there is one, and else to the table's
// end; a new table behind a comment like "# [table]", or to the end of the text.
func (d *Doc) Set(key Key, literal string) (string, error) {
	if len(key) == 0 || key[len(key)-1].Index != NoIndex && d.head(key) >= 0 {
		return "", fmt.Errorf("%s is a table", key)
	}
	if n, _ := d.value(key); n != nil {
		return d.splice(n.value, literal), nil
	}
	if d.Has(key) {
		return "", fmt.Errorf("%s is a table", key)
	}
	if n := d.container(key); n != nil {
		return d.setWithin(n, key, literal)
	}
	return d.setLine(key, literal)
}

// splice returns the text with other text in the place of s.
func (d *Doc) splice(s span, text string) string { return d.text[:s.start] + text + d.text[s.end:] }

// setWithin adds a key to the list or table n, which is one value.
func (d *Doc) setWithin(n *node, key Key, literal string) (string, error) {
	rest := key[len(n.key):]
	switch {
	case n.kind == table && rest[0].Index == NoIndex:
		if rest.hasIndex() {
			return "", fmt.Errorf("%s has no entries", key[:len(key)-len(rest)+len(rest.element())-1])
		}
		return d.add(n, rest.String()+" = "+literal), nil
	case n.kind == list && rest[0].Index == len(n.children):
		if len(rest) > 1 {
			if rest[1:].hasIndex() {
				return "", fmt.Errorf("%s has no entries", key[:len(n.key)+2])
			}
			literal = "{ " + rest[1:].String() + " = " + literal + " }"
		}
		return d.add(n, literal), nil
	case n.kind == list && rest[0].Index > len(n.children):
		return "", fmt.Errorf("%s has %d entries: the next is %s", n.key, len(n.children), n.key.with(At(len(n.children))))
	}
	return "", fmt.Errorf("%s is a value of its own", n.key)
}

// add appends a member to the list or table n.
func (d *Doc) add(n *node, member string) string {
	closing := span{n.value.end - 1, n.value.end - 1}
	if len(n.children) == 0 {
		if n.kind == table && d.text[n.value.start+1:closing.start] == "" {
			member = " " + member + " "
		}
		return d.splice(closing, member)
	}
	last := n.children[len(n.children)-1].whole.end
	if !n.comma {
		return d.splice(span{last, last}, ", "+member)
	}
	last += strings.IndexByte(mask(d.text[last:closing.start]), ',') + 1
	return d.splice(span{last, last}, " "+member+",")
}

// mask is the text, which has no strings in it, with spaces for its comments.
func mask(text string) string {
	masked, comment := []byte(text), false
	for i, c := range masked {
		comment = c != '\n' && (comment || c == '#')
		if comment {
			masked[i] = ' '
		}
	}
	return string(masked)
}

// setLine adds a key as a line of its own.
func (d *Doc) setLine(key Key, literal string) (string, error) {
	around := key[:len(key)-1]
	last := key[len(key)-1]
	if last.Index != NoIndex {
		return "", fmt.Errorf("%s has no entries", around)
	}
	head := d.head(around)
	if s := d.dotted(around); s != nil && head < 0 {
		if key[len(s.table):].hasIndex() {
			return "", fmt.Errorf("%s has no entries", key.element()[:len(key.element())-1])
		}
		return d.insert(place{at: s.line.end, indent: d.indent(s.line.start)}, key[len(s.table):].String()+" = "+literal), nil
	}
	if len(around) > 0 && head < 0 {
		text, err := d.addTable(around)
		if err != nil {
			return "", err
		}
		grown, err := Parse(text)
		if err != nil || grown.head(around) < 0 {
			return "", fmt.Errorf("%s can't be made", around)
		}
		return grown.setLine(key, literal)
	}
	return d.insert(d.keyPlace(head, last.Name), quoteName(last.Name)+" = "+literal), nil
}

// addTable returns the text with a head for a table that has none, and before it for
// the entry of an array that the table is in.
func (d *Doc) addTable(key Key) (string, error) {
	for n := range key {
		if key[n].Index == NoIndex && d.head(key[:n].with(At(0))) >= 0 {
			return "", fmt.Errorf("%s is a list: name an entry, as in %s", key[:n], key[:n].with(At(0)))
		}
	}
	if key[len(key)-1].Index == NoIndex && d.entries(key) > 0 {
		return "", fmt.Errorf("%s is a list: name an entry, as in %s", key, key.with(At(0)))
	}
	entry := key.element()
	if len(entry) > 0 && d.head(entry) < 0 {
		array := entry[:len(entry)-1]
		n := d.entries(array)
		if index := entry[len(entry)-1].Index; index != n {
			return "", fmt.Errorf("%s has %d entries: the next is %s", array, n, array.with(At(n)))
		}
		text, err := d.addHead(array, n > 0, "[["+array.names()+"]]")
		if err != nil || len(entry) == len(key) {
			return text, err
		}
		grown, err := Parse(text)
		if err != nil || grown.head(entry) < 0 {
			return "", fmt.Errorf("%s can't be made", entry)
		}
		return grown.addTable(key)
	}
	return d.addHead(key, false, "["+key.names()+"]")
}

// entries counts the entries of an array of tables.
func (d *Doc) entries(array Key) int {
	n := 0
	for d.head(array.with(At(n))) >= 0 {
		n++
	}
	return n
}

// addHead inserts a head: behind the entries of its array, if it has others, else
// behind what is in the entry that it belongs to, else at its comment, else at the end.
func (d *Doc) addHead(key Key, others bool, head string) (string, error) {
	around := key.element()
	if others {
		around = key
	} else if around == nil {
		if p, ok := d.headPlace(head); ok {
			return d.insert(p, head), nil
		}
		return d.insert(place{at: len(d.text), blank: true}, head), nil
	}
	s := d.lastBelow(around)
	if s == nil {
		return "", fmt.Errorf("%s has no entries", key)
	}
	return d.insert(place{at: s.line.end, blank: true}, head), nil
}
