package manual

import (
	"strings"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// file is a configuration file with all that a page says about it.
type file struct {
	page, title, summary string
	path                 string
	about                []string // paragraphs; `…` is literal
	fields               []spec.Field
	others               []string
}

func guestFile() file {
	return file{
		page: "sysct-config", title: "A guest's configuration", summary: "the configuration of a sysct guest",
		path: "/var/lib/sysct/NAME/config.toml",
		about: []string{
			"Every guest has a file `config.toml` in its directory, in the language TOML 1.0. `sysct create` writes it with all keys as comments, each with its manual. What the file doesn't say is as by default; a key that isn't known, or a value that can't be, is refused with its line and column.",
			"`sysct get`, `set` and `unset` read and change it a key at a time, without touching anything else in the file, and `sysct edit` opens it in an editor. For them a key is written with the tables around it: `limits.memory`, `env.LANG`. An entry of a list of tables has its number in brackets, from 0: `net[0].type`; `net.0.type` is the same for shells that take brackets for a pattern.",
			"On the command line a value is read by the type of its key. Strings, sizes, durations and quotas are written without quotes. A list is words with commas between them, as in `protect=delete,start`, or an array as in TOML, as in `init.cmd=[\"/bin/sh\", \"-c\", \"a,b\"]`. `sysct get NAME KEY` prints a value in the form that `set` takes.",
			"A size is a number of bytes, or a whole number with K, M, G or T, which are powers of 1024. A duration is a number of seconds, or numbers with h, m, s or ms, as in 1m30s. In the file both are in quotes unless they are plain numbers.",
		},
		fields: spec.GuestFields(),
		others: []string{"sysct(1)", "sysct-get(1)", "sysct-set(1)", "sysct-unset(1)", "sysct-edit(1)", "sysct.toml(5)"},
	}
}

func hostFile() file {
	return file{
		page: "sysct.toml", title: "The host's configuration", summary: "the configuration of sysct on a host",
		path: "/etc/sysct/sysct.toml",
		about: []string{
			"The file says where sysct has its directories. It is in the language TOML 1.0, may be missing, and must be one that only root can write to. An option or a variable of the environment comes before a key. Unknown keys are refused.",
		},
		fields: spec.HostFields(),
		others: []string{"sysct(1)", "sysct-config(5)"},
	}
}

func networkFile() file {
	return file{
		page: "sysct-network", title: "A network", summary: "the configuration of a network of sysct",
		path: "/etc/sysct/networks/NAME.toml",
		about: []string{
			"A network is a bridge on the host with subnets, DHCP and a name server for the guests on it. `sysct net create` writes its file, which is in the language TOML 1.0 and must be one that only root can write to. The network `sysctbr0` is there without a file; with one it is as the file says. Unknown keys are refused.",
			"A network is brought up when the first guest on it starts. A change of the file counts when `sysct net up` is called, or the next guest starts; guests that run keep the addresses that they have.",
		},
		fields: spec.NetworkFields(),
		others: []string{"sysct(1)", "sysct-net(1)", "sysct-config(5)", "sysct.toml(5)"},
	}
}

// files are all that have a page.
func files() []file { return []file{guestFile(), hostFile(), networkFile()} }

// ConfigPages returns the pages about the configuration files by their files' names.
func ConfigPages(ed Edition) map[string]string {
	pages := map[string]string{}
	for _, f := range files() {
		pages[f.page+".5"] = f.roff(ed)
	}
	return pages
}

// ConfigReference is docs/config.md.
func ConfigReference() string {
	var b strings.Builder
	b.WriteString("<!-- Made from the comments in pkg/guest/spec by make generate; not to be edited. -->\n\n# Configuration\n")
	for _, f := range files() {
		f.markdown(&b)
	}
	return b.String()
}

// counts says when a change of a key counts.
func (f *file) counts(field *spec.Field) string {
	switch {
	case field.Change == "restart":
		return "from the guest's next start on"
	case f.page == "sysct.toml":
		return "from the next command on"
	case f.page == "sysct-network":
		return "when the network is next brought up"
	}
	return "at once"
}

// facts are what is known of a key beside its summary: a label and a text each.
func (f *file) facts(field *spec.Field) [][2]string {
	list := [][2]string{{"Type", field.Type}, {"Unit", field.Unit}, {"Default", field.Default}, {"Example", field.Example}, {"Counts", f.counts(field)}}
	var known [][2]string
	for _, fact := range list {
		if fact[1] != "" {
			known = append(known, fact)
		}
	}
	return known
}

func (f *file) roff(ed Edition) string {
	r := newRoff(f.page, 5, ed, f.summary)
	r.section("SYNOPSIS")
	r.line(italic(f.path))
	r.section("DESCRIPTION")
	for i, paragraph := range f.about {
		if i > 0 {
			r.raw(".PP")
		}
		var line string
		for j, piece := range strings.Split(paragraph, "`") {
			if j%2 == 1 {
				line += bold(piece)
			} else {
				line += text(piece)
			}
		}
		r.line(line)
	}
	r.section("KEYS")
	for _, field := range f.fields {
		if field.Change == "" {
			r.item(bold("["+field.Key+"]"), text(field.Summary))
			continue
		}
		r.item(bold(spec.ShownKey(field.Key, f.fields)), text(field.Summary))
		for _, fact := range f.facts(&field) {
			r.raw(".br")
			r.line(text(fact[0] + ": " + fact[1] + "."))
		}
	}
	r.section("SEE ALSO")
	r.line(references(f.others))
	return r.String()
}

func (f *file) markdown(b *strings.Builder) {
	b.WriteString("\n## " + f.title + "\n\n`" + f.path + "`\n")
	for _, paragraph := range f.about {
		b.WriteString("\n" + wrap(paragraph) + "\n")
	}
	for _, field := range f.fields {
		if field.Change == "" {
			b.WriteString("\n### `[" + field.Key + "]`\n\n" + plain(field.Summary) + "\n")
			continue
		}
		level := "###"
		if strings.Contains(field.Key, ".") {
			level = "####" // in a table
		}
		b.WriteString("\n" + level + " `" + spec.ShownKey(field.Key, f.fields) + "`\n\n" + plain(field.Summary) + "\n\n")
		for _, fact := range f.facts(&field) {
			value := plain(fact[1])
			if fact[0] == "Example" || strings.HasPrefix(fact[1], `"`) || strings.HasPrefix(fact[1], "[") {
				value = "`" + fact[1] + "`"
			}
			b.WriteString("- " + fact[0] + ": " + value + "\n")
		}
	}
}

// plain escapes what Markdown would take for mark-up.
func plain(s string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`).Replace(s)
}

// wrap breaks a paragraph into lines of up to 90 characters, and nothing in `…`.
func wrap(s string) string {
	pieces := strings.Split(s, "`")
	for i := 1; i < len(pieces); i += 2 {
		pieces[i] = strings.ReplaceAll(pieces[i], " ", "\x00")
	}
	return strings.ReplaceAll(fill(strings.Join(pieces, "`")), "\x00", " ")
}

func fill(s string) string {
	var b strings.Builder
	length := 0
	for i, word := range strings.Fields(s) {
		switch {
		case i > 0 && length+1+len(word) > 90:
			b.WriteByte('\n')
			length = 0
		case i > 0:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String()
}
