package tomltext

import "strings"

// place is where a new line goes.
type place struct {
	at     int    // the beginning of a line, or the end of the text
	indent string // what the line begins with
	blank  bool   // an empty line comes before it
}

// insert returns the text with a line more, whose end is as that of others.
func (d *Doc) insert(p place, line string) string {
	end := "\n"
	if i := strings.IndexByte(d.text, '\n'); i > 0 && d.text[i-1] == '\r' {
		end = "\r\n"
	}
	line = p.indent + line + end
	before := d.text[:p.at]
	if p.blank && before != "" {
		line = end + line
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		// The text's last line has no end: nor gets the new one.
		line = end + strings.TrimSuffix(line, end)
	}
	return before + line + d.text[p.at:]
}

// keyPlace is where a new key of a table goes, whose head has that number.
func (d *Doc) keyPlace(head int, name string) place {
	region := d.region(head)
	last := region.start
	indent := ""
	for _, s := range d.statements[head+1:] {
		if s.isHead {
			break
		}
		last, indent = s.line.end, d.indent(s.line.start)
	}
	for _, line := range d.comments(region) {
		text := d.comment(line)
		if strings.HasPrefix(text, "[") {
			break // a table that isn't there
		}
		if key, _, ok := strings.Cut(text, "="); ok && isName(key, name) {
			return place{at: line.end, indent: d.indent(line.start)}
		}
	}
	return place{at: d.skipComments(span{last, region.end}), indent: indent}
}

// isName tells whether text is the key with that one name.
func isName(text, name string) bool {
	key, err := ParseKey(strings.TrimSpace(text))
	return err == nil && len(key) == 1 && key[0] == Named(name)
}

// headPlace is behind the comment that a head stands in, if no key follows there
// which would get into another table.
func (d *Doc) headPlace(head string) (place, bool) {
	for n := -1; n < len(d.statements); n++ {
		if n >= 0 && !d.statements[n].isHead {
			continue
		}
		region := d.region(n)
		for _, line := range d.comments(region) {
			if d.comment(line) == head && !d.hasPairs(span{line.end, region.end}) {
				return place{at: line.end, indent: d.indent(line.start)}, true
			}
		}
	}
	return place{}, false
}

func (d *Doc) hasPairs(s span) bool {
	for i := range d.statements {
		if line := d.statements[i].line; line.start >= s.start && line.start < s.end {
			return true
		}
	}
	return false
}

// comments returns the lines of s that have nothing but a comment.
func (d *Doc) comments(s span) (lines []span) {
	at := s.start
	for i := range d.statements {
		if line := d.statements[i].line; line.start >= s.start && line.start < s.end {
			lines = append(lines, d.commentLines(span{at, line.start})...)
			at = line.end
		}
	}
	return append(lines, d.commentLines(span{at, s.end})...)
}

// commentLines returns the comments among lines without statements.
func (d *Doc) commentLines(s span) (lines []span) {
	for at := s.start; at < s.end; {
		line := d.lineAt(at)
		if d.isComment(line) {
			lines = append(lines, line)
		}
		at = line.end
	}
	return lines
}

// skipComments returns the end of the comment right at the beginning of s, if an empty
// line or the text's end follows it: otherwise it belongs to what comes next.
func (d *Doc) skipComments(s span) int {
	at := s.start
	for at < s.end && d.isComment(d.lineAt(at)) && !strings.HasPrefix(d.comment(d.lineAt(at)), "[") {
		at = d.lineAt(at).end
	}
	if at == len(d.text) || strings.TrimSpace(d.text[at:d.lineAt(at).end]) == "" {
		return at
	}
	return s.start
}

func (d *Doc) lineAt(at int) span {
	if n := strings.IndexByte(d.text[at:], '\n'); n >= 0 {
		return span{at, at + n + 1}
	}
	return span{at, len(d.text)}
}

func (d *Doc) isComment(line span) bool {
	return strings.HasPrefix(strings.TrimLeft(d.text[line.start:line.end], " \t"), "#")
}

// comment is what the comment of a line says.
func (d *Doc) comment(line span) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(d.text[line.start:line.end]), "#"))
}

// indent is the white space that the line at that offset begins with.
func (d *Doc) indent(at int) string {
	line := d.text[at:]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}
