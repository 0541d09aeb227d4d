package tomltext

import (
	"strings"
	"testing"
)

func mustKey(t *testing.T, text string) Key {
	t.Helper()
	key, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustParse(t *testing.T, text string) *Doc {
	t.Helper()
	doc, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return doc
}

func TestSet(t *testing.T) {
	const manual = "# top\n\n# a = 1\n\n# of t\n[t]\n# m = 2\n\n# n = 3\n\n# list\n# [[l]]\n\n# k = \"x\"\n\n[z]\n"
	for name, c := range map[string]struct{ text, key, want string }{
		"value in place":          {"a = 1 # why\nb = 2\n", "a", "a = V # why\nb = 2\n"},
		"last line without end":   {"a = 1", "a", "a = V"},
		"odd spaces":              {"\t a\t=  1 \r\nb=2\r\n", "a", "\t a\t=  V \r\nb=2\r\n"},
		"quoted key":              {"'a b' = 1\n", `"a b"`, "'a b' = V\n"},
		"long string":             {"a = '''\nb = 1\n''' # c\nb = 2\n", "b", "a = '''\nb = 1\n''' # c\nb = V\n"},
		"long string replaced":    {"a = \"\"\"\n[t]\n\"\"\"\"\" # c\nb = 2\n", "a", "a = V # c\nb = 2\n"},
		"long list":               {"a = [\n 1, # ]\n 2,\n]\nb = 2", "a", "a = V\nb = 2"},
		"in a table":              {"[t]\na = 1\n[u]\na = 2\n", "u.a", "[t]\na = 1\n[u]\na = V\n"},
		"by a dotted key":         {"t.a = 1\n", "t.a", "t.a = V\n"},
		"in an inline table":      {"t = { a = 1, b = 2 }\n", "t.b", "t = { a = 1, b = V }\n"},
		"in an entry":             {"[[l]]\na = 1\n[[l]]\na = 2\n", "l[1].a", "[[l]]\na = 1\n[[l]]\na = V\n"},
		"in an entry's table":     {"[[l]]\n[l.t]\na = 1\n[[l]]\n[l.t]\na = 2\n", "l[1].t.a", "[[l]]\n[l.t]\na = 1\n[[l]]\n[l.t]\na = V\n"},
		"new in nothing":          {"", "a", "a = V\n"},
		"new table in nothing":    {"", "t.a", "[t]\na = V\n"},
		"new after a comment":     {"# about this file\n", "a", "# about this file\na = V\n"},
		"new at root":             {"a = 1\n\n# of t\n[t]\n", "b", "a = 1\nb = V\n\n# of t\n[t]\n"},
		"new at root, head first": {"# of t\n[t]\n", "b", "b = V\n# of t\n[t]\n"},
		"new in table":            {"[t]\na = 1\n\n# of u\n[u]\n", "t.b", "[t]\na = 1\nb = V\n\n# of u\n[u]\n"},
		"new, indented":           {"[t]\n  a = 1\n", "t.b", "[t]\n  a = 1\n  b = V\n"},
		"new without line end":    {"[t]\na = 1", "t.b", "[t]\na = 1\nb = V"},
		"new, CRLF":               {"[t]\r\na = 1\r\n", "t.b", "[t]\r\na = 1\r\nb = V\r\n"},
		"new table, CRLF, no end": {"a = 1\r\nb = 2", "t.b", "a = 1\r\nb = 2\r\n\r\n[t]\r\nb = V"},
		"new, odd name":           {"", "t.\"a b\\\\\"", "[t]\n\"a b\\\\\" = V\n"},
		"new table":               {"[t]\na = 1\n", "u.b", "[t]\na = 1\n\n[u]\nb = V\n"},
		"new beside dotted":       {"t.a = 1\n[u]\n", "t.b", "t.a = 1\nt.b = V\n[u]\n"},
		"new below dotted":        {"t.a = 1\n[u]\n", "t.c.b", "t.a = 1\nt.c.b = V\n[u]\n"},
		"new around tables":       {"[t.u]\na = 1\n", "t.b", "[t.u]\na = 1\n\n[t]\nb = V\n"},
		"new in inline table":     {"t = { a = 1 }\n", "t.b", "t = { a = 1, b = V }\n"},
		"new in empty inline":     {"t = {} # c\n", "t.u.b", "t = { u.b = V } # c\n"},
		"new in empty list":       {"l = []\n", "l[0].a", "l = [{ a = V }]\n"},
		"new in list, comma":      {"l = [\n  {a = 1}, # ,\n]\n", "l[1].a", "l = [\n  {a = 1}, { a = V }, # ,\n]\n"},
		"new entry":               {"[[l]]\na = 1\n\n[u]\n", "l[1].a", "[[l]]\na = 1\n\n[[l]]\na = V\n\n[u]\n"},
		"new entry of none":       {"a = 1\n", "l[0].a", "a = 1\n\n[[l]]\na = V\n"},
		"new table in an entry":   {"[[l]]\na = 1\n[[l]]\na = 2\n", "l[0].t.b", "[[l]]\na = 1\n\n[l.t]\nb = V\n[[l]]\na = 2\n"},
		"at its comment":          {manual, "t.m", strings.Replace(manual, "# m = 2\n", "# m = 2\nm = V\n", 1)},
		"at its comment at root":  {manual, "a", strings.Replace(manual, "# a = 1\n", "# a = 1\na = V\n", 1)},
		"not at another's":        {manual, "t.k", strings.Replace(manual, "# m = 2\n", "# m = 2\nk = V\n", 1)},
		"entry at its comment":    {manual, "l[0].k", strings.Replace(strings.Replace(manual, "# [[l]]\n", "# [[l]]\n[[l]]\n", 1), "# k = \"x\"\n", "# k = \"x\"\nk = V\n", 1)},
		"comment above keys":      {"[t]\n# [u]\na = 1\n", "u.b", "[t]\n# [u]\na = 1\n\n[u]\nb = V\n"},
		"comment in a string":     {"a = '''\n# b = 1\n'''\n", "b", "a = '''\n# b = 1\n'''\nb = V\n"},
	} {
		doc := mustParse(t, c.text)
		got, err := doc.Set(mustKey(t, c.key), "V")
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
			continue
		}
		if doc.Has(mustKey(t, c.key)) {
			continue
		}
		// What was added alone goes again, but for the heads of tables.
		if back, found := mustParse(t, got).Unset(mustKey(t, c.key)); !found || !strings.Contains(got, "{") && !strings.Contains(back, strings.TrimRight(c.text, "\r\n")) && len(back) < len(c.text) {
			t.Errorf("%s: back to %q, %v", name, back, found)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range []struct{ text, key, want string }{
		{"[t]\na = 1\n", "t", "t is a table"},
		{"t.a = 1\n", "t", "t is a table"},
		{"[[l]]\na = 1\n", "l[0]", "l[0] is a table"},
		{"[[l]]\na = 1\n", "l[2].a", "l has 1 entries: the next is l[1]"},
		{"[[l]]\na = 1\n", "l.a", "l is a list: name an entry, as in l[0]"},
		{"", "l[1].a", "l has 0 entries: the next is l[0]"},
		{"l = []", "l[1].a", "l has 0 entries: the next is l[0]"},
		{"a = 1\n", "a.b", "a is a value of its own"},
		{"a = []\n", "a.b", "a is a value of its own"},
	} {
		if got, err := mustParse(t, c.text).Set(mustKey(t, c.key), "V"); err == nil || err.Error() != c.want {
			t.Errorf("%q, %s: %q, %v, want %s", c.text, c.key, got, err, c.want)
		}
	}
}

func TestUnset(t *testing.T) {
	for name, c := range map[string]struct{ text, key, want string }{
		"a line":             {"a = 1 # why\nb = 2\n", "a", "b = 2\n"},
		"the last line":      {"a = 1\nb = 2", "b", "a = 1"},
		"the only line":      {"a = 1", "a", ""},
		"CRLF":               {"a = 1\r\nb = 2", "b", "a = 1"},
		"a long list":        {"a = [\n 1,\n]\nb = 2\n", "a", "b = 2\n"},
		"comments stay":      {"# a\na = 1\n# b\n", "a", "# a\n# b\n"},
		"first of inline":    {"t = { a = 1, b = 2 }\n", "t.a", "t = { b = 2 }\n"},
		"last of inline":     {"t = { a = 1, b = 2 }\n", "t.b", "t = { a = 1 }\n"},
		"only one of inline": {"t = {a = 1} # c\n", "t.a", "t = {} # c\n"},
		"first of list":      {"l = [\n  1, # ,\n  2,\n]\n", "l[0]", "l = [\n  # ,\n  2,\n]\n"},
		"last of list":       {"l = [\n  1, # ,\n  2 # two\n]\n", "l[1]", "l = [\n  1 # two\n]\n"},
		"a table":            {"a = 1\n[t]\nb = 1\n# c\n[t.u]\nd = 1\n[v]\n", "t", "a = 1\n# c\n[v]\n"},
		"a dotted table":     {"t.a = 1\nb = 1\nt.c = 1\n", "t", "b = 1\n"},
		"an entry":           {"[[l]]\na = 1\n[[l]]\na = 2\n", "l[0]", "[[l]]\na = 2\n"},
		"all entries":        {"[[l]]\na = 1\n[[l]]\na = 2\n[t]\n", "l", "[t]\n"},
	} {
		got, found := mustParse(t, c.text).Unset(mustKey(t, c.key))
		if !found || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, found, c.want)
		}
	}
	if got, found := mustParse(t, "[t]\na = 1\n").Unset(mustKey(t, "a")); found || got != "[t]\na = 1\n" {
		t.Errorf("%q, %v", got, found)
	}
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "limits.memory": "limits.memory", "net[0].type": "net[0].type", "env.'A B'": `env."A B"`, "a . b": "a.b", "a[1][2]": "a[1][2]", "net.0.type": "net.0.type",
	} {
		if key, err := ParseKey(text); err != nil || key.String() != want {
			t.Errorf("%q: %s, %v", text, key, err)
		}
	}
	for _, text := range []string{"", ".", "a.", ".a", "a..b", "a b", "a[", "a[-1]", "a[x]", "[0]", "a]", "é", "a=b", "a\nb", "a#b"} {
		if key, err := ParseKey(text); err == nil {
			t.Errorf("%q is %s", text, key)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"\ufeffa = 1", "a", "a =", "a = [", "a = [1, {b = 2]", "[t", "[[t]", "= 1", "a = 1 b = 2\n=", "a = " + strings.Repeat("[", 100_000)} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.20q was taken", text)
		}
	}
}
