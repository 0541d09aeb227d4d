package manual

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Program is what the command line says of itself.
type Program struct {
	Name   string  `json:"name"`
	Long   string  `json:"long"`
	Flags  []Flag  `json:"flags"` // those that every verb takes
	Groups []Group `json:"groups"`
}

// Group is some verbs that belong together.
type Group struct {
	Title string `json:"title"`
	Verbs []Verb `json:"verbs"`
}

// Verb is a verb with its help.
type Verb struct {
	Name    string   `json:"name"` // "start", "host init"
	Aliases []string `json:"aliases"`
	Use     string   `json:"use"` // start NAME...
	Short   string   `json:"short"`
	Long    string   `json:"long"` // with a part EXIT STATUS
	Example string   `json:"example"`
	Flags   []Flag   `json:"flags"`
}

// Flag is an option.
type Flag struct {
	Name    string `json:"name"`
	Short   string `json:"short"`
	Value   string `json:"value"` // a word for what it takes; "": nothing
	Usage   string `json:"usage"`
	Default string `json:"default"`
}

// exitStatus is the heading in a help that a section of the page is made from.
const exitStatus = "EXIT STATUS\n"

// Pages returns the pages of the program and its verbs by their files' names.
func (p *Program) Pages(ed Edition) map[string]string {
	pages := map[string]string{p.Name + ".1": p.page(ed)}
	for _, g := range p.Groups {
		for _, v := range g.Verbs {
			pages[p.pageOf(v.Name)+".1"] = p.verbPage(&g, &v, ed)
		}
	}
	return pages
}

// pageOf is the name of a verb's page.
func (p *Program) pageOf(verb string) string {
	return p.Name + "-" + strings.ReplaceAll(verb, " ", "-")
}

// verbPage is the page of one verb.
func (p *Program) verbPage(g *Group, v *Verb, ed Edition) string {
	r := newRoff(p.pageOf(v.Name), 1, ed, lowerFirst(v.Short))
	r.section("SYNOPSIS")
	for _, name := range append([]string{v.Name}, v.Aliases...) {
		if name != v.Name {
			r.raw(".br")
		}
		r.line(synopsis(p.Name+" "+name, v.Use, len(v.Flags) > 0))
	}
	about, statuses, _ := strings.Cut(v.Long, exitStatus)
	r.section("DESCRIPTION")
	r.prose(about)
	r.section("OPTIONS")
	flags(r, v.Flags)
	r.raw(".PP")
	r.line("The options of " + bold(p.Name) + "(1) are options of this verb, too.")
	r.section("EXIT STATUS")
	r.verbatim(statuses)
	r.section("EXAMPLES")
	r.verbatim(v.Example)
	r.section("SEE ALSO")
	var others []string
	for _, other := range g.Verbs {
		if other.Name != v.Name {
			others = append(others, p.pageOf(other.Name)+"(1)")
		}
	}
	r.line(references(append([]string{p.Name + "(1)"}, append(others, p.Name+"-config(5)")...)))
	return r.String()
}

// page is the page of the program itself.
func (p *Program) page(ed Edition) string {
	r := newRoff(p.Name, 1, ed, "run whole Linux systems as guests")
	r.section("SYNOPSIS")
	r.line(bold(p.Name) + " [" + italic("OPTION") + "...] " + italic("VERB") + " [" + italic("ARGUMENT") + "...]")
	about, statuses, _ := strings.Cut(p.Long, exitStatus)
	r.section("DESCRIPTION")
	r.prose(about)
	r.section("VERBS")
	var pages []string
	for i, g := range p.Groups {
		if i > 0 {
			r.raw(".PP")
		}
		r.line(text(g.Title))
		for _, v := range g.Verbs {
			r.item(bold(v.Name), text(v.Short)+".")
			pages = append(pages, p.pageOf(v.Name)+"(1)")
		}
	}
	r.section("OPTIONS")
	flags(r, p.Flags)
	r.section("ENVIRONMENT")
	for _, v := range [][2]string{
		{"SYSCT_STATE_DIR, SYSCT_RUN_DIR, SYSCT_CACHE_DIR, SYSCT_LOG_DIR", "the directories of the instance; the options above come before them"},
		{"SYSCT_PROFILES_DIR, SYSCT_NETWORKS_DIR", "the directories of profiles and of networks"},
		{"SYSCT_NETWORK", "the network of new guests, for those that say nothing of it"},
		{"VISUAL, EDITOR", "the editor for sysct-edit(1), with its arguments"},
	} {
		r.item(bold(v[0]), text(upperFirst(v[1]))+".")
	}
	r.section("FILES")
	for _, f := range [][2]string{
		{"/var/lib/sysct/NAME/config.toml", "a guest's configuration, sysct-config(5)"},
		{"/var/lib/sysct/NAME/rootfs/", "a guest's root file system"},
		{"/etc/sysct/sysct.toml", "the host's configuration, sysct.toml(5)"},
		{"/etc/sysct/networks/NAME.toml", "a network, sysct-network(5)"},
		{"/etc/sysct/templates/", "templates that override the built-in ones"},
		{"/var/log/sysct/", "the logs of guests and of their consoles"},
	} {
		r.item(italic(f[0]), text(upperFirst(f[1]))+".")
	}
	r.section("EXIT STATUS")
	r.verbatim(statuses)
	r.section("EXAMPLES")
	r.verbatim("  sysct launch web -t debian\n  sysct shell web\n  sysct set web limits.memory=512M\n  sysct stop web")
	r.section("SEE ALSO")
	r.line(references(append(pages, p.Name+"-config(5)", p.Name+".toml(5)", p.Name+"-network(5)")))
	return r.String()
}

// synopsis is a verb with its arguments: what is typed in bold, what it stands for
// in italics.
func synopsis(called, use string, hasFlags bool) string {
	_, arguments, _ := strings.Cut(use, " ")
	words := strings.Fields(arguments)
	if i := slices.Index(words, "[flags]"); i >= 0 {
		words[i] = "[OPTION...]"
	} else if hasFlags {
		words = append([]string{"[OPTION...]"}, words...)
	}
	line := bold(called)
	for _, word := range words {
		line += " " + markUp(word)
	}
	return line
}

// markUp sets the capitals of a word in italics, and options and small letters in bold.
func markUp(word string) string {
	var b strings.Builder
	rest := word
	for rest != "" {
		n := strings.IndexFunc(rest, func(c rune) bool { return !unicode.IsLetter(c) && c != '-' && c != '_' })
		switch {
		case n < 0:
			n = len(rest)
		case n == 0:
			b.WriteString(literal(rest[:1]))
			rest = rest[1:]
			continue
		}
		piece := rest[:n]
		rest = rest[n:]
		if piece == strings.ToUpper(piece) && piece != strings.ToLower(piece) {
			b.WriteString(italic(piece))
		} else {
			b.WriteString(bold(piece))
		}
	}
	return b.String()
}

func flags(r *roff, list []Flag) {
	if len(list) == 0 {
		r.line("None of its own.")
	}
	for _, f := range list {
		tag := bold("--" + f.Name)
		if f.Short != "" {
			tag = bold("-"+f.Short) + ", " + tag
		}
		if f.Value != "" {
			tag += " " + italic(f.Value)
		}
		usage := text(upperFirst(f.Usage))
		if f.Default != "" {
			usage += " (default " + literal(f.Default) + ")"
		}
		r.item(tag, usage+".")
	}
}

// references is a list of pages, each as name(section).
func references(pages []string) string {
	marked := make([]string, len(pages))
	for i, page := range pages {
		name, section, _ := strings.Cut(page, "(")
		marked[i] = bold(name) + "(" + section
	}
	return strings.Join(marked, ",\n")
}

func upperFirst(s string) string { return mapFirst(s, unicode.ToUpper) }
func lowerFirst(s string) string { return mapFirst(s, unicode.ToLower) }

func mapFirst(s string, to func(rune) rune) string {
	for i, c := range s {
		return fmt.Sprintf("%s%c%s", s[:i], to(c), s[i+len(string(c)):])
	}
	return s
}
