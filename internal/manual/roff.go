package manual

import (
	"fmt"
	"strings"
)

// Edition is what stands at the edges of a page.
type Edition struct {
	Version string // of sysct
	Date    string // of the source, as 2006-01-02
}

// roff collects a page in the language of man(7).
type roff struct{ b strings.Builder }

// newRoff begins a page with its title and its one-line description.
func newRoff(name string, section int, ed Edition, summary string) *roff {
	r := &roff{}
	r.raw(".\\\" Made from the source of sysct; not to be edited.")
	r.raw(fmt.Sprintf(".TH %s %d %s %q %q", literal(strings.ToUpper(name)), section, ed.Date, "sysct "+ed.Version, "sysct manual"))
	r.raw(".nh") // what is a name mustn't be broken
	r.section("NAME")
	r.raw(literal(name) + ` \- ` + text(summary))
	return r
}

func (r *roff) String() string { return r.b.String() }

func (r *roff) raw(line string) { r.b.WriteString(line + "\n") }

func (r *roff) section(title string) { r.raw(".SH " + title) }

// line writes a line of text that may begin with anything.
func (r *roff) line(s string) {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	r.raw(s)
}

// prose writes paragraphs, which empty lines separate. Those whose lines are indented
// stay as they are, line by line. The first one follows a section's title.
func (r *roff) prose(s string) {
	for i, paragraph := range strings.Split(strings.Trim(s, "\n"), "\n\n") {
		if strings.HasPrefix(paragraph, "  ") {
			if i > 0 {
				r.raw(".sp")
			}
			r.verbatim(paragraph)
			continue
		}
		if i > 0 {
			r.raw(".PP")
		}
		for line := range strings.SplitSeq(paragraph, "\n") {
			r.line(text(strings.TrimSpace(line)))
		}
	}
}

// verbatim writes lines as they are, without what all of them are indented by.
func (r *roff) verbatim(s string) {
	r.raw(".RS 4\n.nf")
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		r.line(literal(strings.TrimRight(strings.TrimPrefix(line, "  "), " ")))
	}
	r.raw(".fi\n.RE")
}

// item writes an entry of a list, whose tag is in roff already.
func (r *roff) item(tag, body string) {
	r.raw(".TP")
	r.line(tag)
	for line := range strings.SplitSeq(body, "\n") {
		r.line(line)
	}
}

func bold(s string) string   { return `\fB` + literal(s) + `\fR` }
func italic(s string) string { return `\fI` + literal(s) + `\fR` }

// text escapes prose. Its hyphens are where a line may be broken, but for those of
// options, of quotations and of manual pages.
func text(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = textLine(lines[i])
	}
	return strings.Join(lines, "\n")
}

func textLine(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		words[i] = strings.ReplaceAll(escape(word), "'", `\(cq`)
		if strings.HasPrefix(word, "-") || strings.ContainsAny(word, "\"(") {
			words[i] = strings.ReplaceAll(words[i], "-", `\-`)
		}
	}
	return strings.Join(words, " ")
}

// literal escapes what somebody might type: a hyphen is a minus, an apostrophe a quote.
func literal(s string) string {
	return strings.NewReplacer("-", `\-`, "'", `\(aq`).Replace(escape(s))
}

// escape takes the meaning from what has one in roff, but for hyphens and apostrophes.
func escape(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '\\':
			b.WriteString(`\e`)
		case c == '^':
			b.WriteString(`\(ha`)
		case c == '~':
			b.WriteString(`\(ti`)
		case c == '`':
			b.WriteString(`\(ga`)
		case c > '~':
			fmt.Fprintf(&b, `\[u%04X]`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
