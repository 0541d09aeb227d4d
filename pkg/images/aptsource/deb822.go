package aptsource

import (
	"slices"
	"strings"
)

// ParseDeb822 reads the format of .sources files: stanzas of "Field: value", with more lines of a value indented.
func ParseDeb822(text string) []Entry {
	var entries []Entry
	stanza := map[string]string{}
	field := ""
	flush := func() {
		entries = append(entries, fromStanza(stanza)...)
		stanza, field = map[string]string{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "":
			flush()
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if field != "" {
				stanza[field] += "\n" + strings.TrimSpace(line)
			}
		default:
			name, value, _ := strings.Cut(line, ":")
			field = strings.ToLower(strings.TrimSpace(name))
			stanza[field] = strings.TrimSpace(value)
		}
	}
	flush()
	return entries
}

// fromStanza gives an entry for each URI of an enabled stanza of binary packages.
func fromStanza(stanza map[string]string) []Entry {
	if !slices.Contains(strings.Fields(stanza["types"]), "deb") || isNo(stanza["enabled"]) {
		return nil
	}
	suites := strings.Fields(stanza["suites"])
	if len(suites) == 0 {
		return nil
	}
	var entries []Entry
	for _, uri := range strings.Fields(stanza["uris"]) {
		entries = append(entries, Entry{
			URI: strings.TrimRight(uri, "/"), Suites: suites,
			Components: strings.Fields(stanza["components"]), SignedBy: signedBy(stanza["signed-by"]),
		})
	}
	return entries
}

// signedBy undoes the indentation of a key that stands in the file itself, where a dot is an empty line.
func signedBy(value string) string {
	value = strings.TrimSpace(value)
	if !strings.Contains(value, "BEGIN PGP") {
		paths := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		return strings.Join(paths[:min(1, len(paths))], "")
	}
	lines := strings.Split(value, "\n")
	for i, line := range lines {
		if line == "." {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func isNo(value string) bool {
	return slices.Contains([]string{"no", "false", "without", "off", "disable", "0"}, strings.ToLower(value))
}
