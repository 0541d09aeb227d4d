package tomltext

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"pgregory.net/rapid"
)

// decode is a text's content, with one type for all arrays and without empty tables:
// a table is made for its first key and stays without its last.
func decode(t failer, text string) map[string]any {
	t.Helper()
	var content map[string]any
	if _, err := toml.Decode(text, &content); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return prune(content)
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func prune(table map[string]any) map[string]any {
	pruned := map[string]any{}
	for key, value := range table {
		if value = plainValue(value); !reflect.DeepEqual(value, map[string]any{}) {
			pruned[key] = value
		}
	}
	return pruned
}

func plainValue(value any) any {
	switch x := value.(type) {
	case map[string]any:
		return prune(x)
	case []map[string]any:
		list := []any{}
		for _, item := range x {
			list = append(list, plainValue(item))
		}
		return list
	case []any:
		list := []any{}
		for _, item := range x {
			list = append(list, plainValue(item))
		}
		return list
	case float64:
		return fmt.Sprint(x) // NaN is itself here
	}
	return value
}

// change returns content with the key set, or removed where value is nil.
func change(content any, key Key, value any) any {
	switch x := content.(type) {
	case []any:
		i := key[0].Index
		switch {
		case i == len(x):
			return append(slices.Clone(x), change(map[string]any{}, key[1:], value))
		case len(key) == 1 && value == nil:
			return slices.Delete(slices.Clone(x), i, i+1)
		}
		list := slices.Clone(x)
		list[i] = change(x[i], key[1:], value)
		return list
	case map[string]any:
		table := maps.Clone(x)
		name := key[0].Name
		switch {
		case len(key) == 1 && value == nil:
			delete(table, name)
		case len(key) == 1:
			table[name] = value
		case table[name] == nil && key[1].Index != NoIndex:
			table[name] = change([]any{}, key[1:], value)
		case table[name] == nil:
			table[name] = change(map[string]any{}, key[1:], value)
		default:
			table[name] = change(x[name], key[1:], value)
		}
		if list, ok := table[name].([]any); ok && len(list) == 0 && len(key) == 2 && value == nil {
			delete(table, name) // the last entry of [[name]] went
		}
		return table
	}
	return value
}

// writer draws a document: any of TOML's ways to write each of its tables.
type writer struct {
	t     *rapid.T
	b     strings.Builder
	leafs []Key
	texts map[string]string // a leaf's literal
	lists []Key             // of tables
	names []Key             // of tables
}

var literals = []string{
	"1", "-0.5", "true", `"x # y"`, `'a "b" = ['`, "\"\"\"\n# a = 1\n[t]\n\\\"\"\"\"\"", "'''\nb = 2 # '' '''''", "1979-05-27 07:32:00.5", "[]", "[ 1, 2, ]",
	"[ # ]\n  \"a,b\", # one\n\n  'c' # two\n]", "[[1], [\"]\"]]", "inf",
}

var names = []string{"a", "b", "c", "k-1", "a b", "x.y", `q"`, "é", "0"}

func (w *writer) draw(label string, n int) int { return rapid.IntRange(0, n-1).Draw(w.t, label) }

func (w *writer) some(label string, texts ...string) string {
	return rapid.SampledFrom(texts).Draw(w.t, label)
}

// fresh draws some names that differ.
func (w *writer) fresh(n int) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, n, rapid.ID).Draw(w.t, "names")
}

func (w *writer) filler() {
	w.b.WriteString(w.some("filler", "", "", "\n", "# x\n", "# a = 1\n", "  # [t] = \"\"\"\n", "# b = 1\n\n"))
}

func (w *writer) quoted(name string) string {
	if isBare(name) && w.draw("quotes", 4) > 0 {
		return name
	}
	if !strings.ContainsAny(name, "'") && w.draw("single", 2) == 0 {
		return "'" + name + "'"
	}
	return Quote(name)
}

// leaf writes a scalar.
func (w *writer) leaf(key Key, lead string) {
	text := rapid.SampledFrom(literals).Draw(w.t, "literal")
	w.leafs = append(w.leafs, key)
	w.texts[key.String()] = text
	w.b.WriteString(lead + w.some("eq", " = ", "=", "\t=  ") + text)
}

// table writes what is in a table whose head stands there: its keys and dotted keys
// first, then the tables with heads.
func (w *writer) table(key Key, head string, depth int) {
	w.names = append(w.names, key)
	var later []func()
	for _, name := range w.fresh(4) {
		sub, text := key.with(Named(name)), w.quoted(name)
		full := strings.TrimPrefix(head+"."+text, ".")
		kind := w.draw("kind", 9)
		if depth > 2 || kind == 8 && key.hasIndex() {
			// The parser loses dotted keys in an entry whose array has another entry
			// with a list of that name, so they can't be drawn.
			kind = 0
		}
		switch kind {
		case 4:
			later = append(later, func() { w.headed(sub, full, depth) })
		case 5:
			later = append(later, func() { w.entries(sub, full, depth) })
		default:
			w.filler()
			w.b.WriteString(w.some("indent", "", "  "))
			w.pair(sub, text, kind, depth)
			w.b.WriteString(w.some("trail", "\n", " # why\n", "\n\n"))
		}
	}
	w.filler()
	for _, write := range later {
		write()
	}
}

func (w *writer) headed(key Key, head string, depth int) {
	w.b.WriteString("[" + head + "]\n")
	w.table(key, head, depth+1)
}

func (w *writer) entries(key Key, head string, depth int) {
	w.lists = append(w.lists, key)
	for i := range 1 + w.draw("entries", 2) {
		w.b.WriteString("[[ " + head + " ]] # entry\n")
		w.table(key.with(At(i)), head, depth+1)
	}
}

// pair writes a key and its value, of which the tables are written in one line or by
// dotted keys.
func (w *writer) pair(key Key, text string, kind, depth int) {
	switch kind {
	case 6:
		w.names = append(w.names, key)
		w.b.WriteString(text + " = ")
		w.inline(key, depth)
	case 7:
		w.lists = append(w.lists, key)
		w.b.WriteString(text + " = [")
		n := w.draw("items", 3)
		for i := range n {
			w.inline(key.with(At(i)), depth)
			w.b.WriteString(w.some("comma", ", ", ",\n", ", # ,\n"))
		}
		w.b.WriteString("]")
	case 8:
		w.names = append(w.names, key)
		for i, name := range append(w.fresh(2), "last") {
			if i > 0 {
				w.b.WriteString("\n")
			}
			w.leaf(key.with(Named(name)), text+"."+w.quoted(name))
		}
	default:
		w.leaf(key, text)
	}
}

func (w *writer) inline(key Key, depth int) {
	w.b.WriteString("{")
	for i, name := range w.fresh(2) {
		if i > 0 {
			w.b.WriteString(",")
		}
		w.b.WriteString(w.some("space", "", " "))
		sub := key.with(Named(name))
		if depth < 3 && w.draw("deeper", 3) == 0 {
			w.names = append(w.names, sub)
			w.b.WriteString(w.quoted(name) + " = ")
			w.inline(sub, depth+1)
		} else {
			w.leaf(sub, w.quoted(name))
		}
	}
	w.b.WriteString(w.some("space", "", " ") + "}")
}

// document draws a text and what is in it.
func document(t *rapid.T) (*writer, string) {
	w := &writer{t: t, texts: map[string]string{}}
	w.table(nil, "", 0)
	text := w.b.String()
	if w.draw("no end", 3) == 0 {
		text = strings.TrimRight(text, "\n")
	}
	if w.draw("CRLF", 4) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return w, text
}

// kept counts the bytes that two texts have in common at their ends.
func kept(a, b string) int {
	i, j := 0, 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	for j < min(len(a), len(b))-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return i + j
}

// isWithin tells whether all of a's bytes are in b, in their order.
func isWithin(a, b string) bool {
	for i := range len(b) {
		if a != "" && a[0] == b[i] {
			a = a[1:]
		}
	}
	return a == ""
}

func TestSetChangesOneValueAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, text := document(t)
		if len(w.leafs) == 0 {
			return
		}
		key := rapid.SampledFrom(w.leafs).Draw(t, "key")
		doc, err := Parse(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		got, err := doc.Set(key, `"new"`)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", key, err, text)
		}
		if want := change(decode(t, text), key, "new"); !reflect.DeepEqual(decode(t, got), want) {
			t.Fatalf("%s:\n%s\nbecame\n%s", key, text, got)
		}
		old := strings.Count(w.texts[key.String()], "\n") + len(w.texts[key.String()]) // CRLF at most
		if kept(text, got) < len(text)-old {
			t.Fatalf("%s: more than %d bytes of\n%s\nchanged:\n%s", key, old, text, got)
		}
	})
}

func TestSetAddsAKeyAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, text := document(t)
		key := rapid.SampledFrom(w.names).Draw(t, "table")
		switch n := w.draw("where", 4); {
		case n == 0 && len(w.lists) > 0:
			list := rapid.SampledFrom(w.lists).Draw(t, "list")
			n := 0
			for mustDoc(t, text).Has(list.with(At(n))) {
				n++
			}
			key = list.with(At(n))
		case n == 1:
			key = key.with(Named("new-table"))
		case n == 2 && !mustDoc(t, text).inValue(key):
			key = key.with(Named("new-list")).with(At(0))
		}
		key = key.with(Named(w.some("new", "new", "new one")))
		doc := mustDoc(t, text)
		got, err := doc.Set(key, `"new"`)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", key, err, text)
		}
		if want := change(decode(t, text), key, "new"); !reflect.DeepEqual(decode(t, got), want) {
			t.Fatalf("%s:\n%s\nbecame\n%s", key, text, got)
		}
		if !isWithin(text, got) {
			t.Fatalf("%s: something of\n%s\nis lost in\n%s", key, text, got)
		}
	})
}

func mustDoc(t failer, text string) *Doc {
	t.Helper()
	doc, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return doc
}

// inValue tells whether a table is written as a value or by dotted keys, where no list
// of tables can be added.
func (d *Doc) inValue(key Key) bool {
	n, _ := d.value(key)
	return n != nil || d.container(key) != nil || d.dotted(key) != nil
}

func TestUnsetRemovesAKeyAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, text := document(t)
		keys := append(slices.Concat(w.leafs, w.lists), w.names...)
		keys = slices.DeleteFunc(keys, func(k Key) bool { return len(k) == 0 })
		if len(keys) == 0 {
			return
		}
		key := rapid.SampledFrom(keys).Draw(t, "key")
		got, found := mustDoc(t, text).Unset(key)
		content := decode(t, text)
		if want := prune(change(content, key, nil).(map[string]any)); !reflect.DeepEqual(decode(t, got), want) {
			t.Fatalf("%s (%v):\n%s\nbecame\n%s", key, found, text, got)
		}
		if !isWithin(got, text) {
			t.Fatalf("%s: %s\nbecame\n%s", key, text, got)
		}
		for line := range strings.Lines(got) {
			if !strings.Contains(text, strings.TrimRight(line, "\r\n")) && !mustDoc(t, text).hasPart(key) {
				t.Fatalf("%s: the line %q of\n%s\nisn't as it was in\n%s", key, line, got, text)
			}
		}
	})
}

// hasPart tells whether the key is a part of a value.
func (d *Doc) hasPart(key Key) bool {
	n, s := d.value(key)
	return n != nil && n != &s.node
}

func FuzzEdit(f *testing.F) {
	for _, text := range []string{
		"", "a = 1", "[t]\na = [{b = 1}, {b = 2}] # c\n", "[[l]]\na.b = 1\n[l.t]\n[[l]]\n", "t = {a = 1, b = {c = 2}}", "\r\n# a = 1\r\n[x.\"y\"]\r\n",
		"a = '''\n'''''\nb = \"\"\"\\\"\"\"\"\"\n",
	} {
		f.Add(text, "a")
		f.Add(text, "t.b")
		f.Add(text, "l[1].a")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		key, err := ParseKey(name)
		if err != nil {
			return
		}
		doc, err := Parse(text)
		var before map[string]any
		_, wrong := toml.Decode(text, &before)
		if err != nil {
			if wrong == nil && !errors.Is(err, errMark) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		got, err := doc.Set(key, "'new'")
		less, found := doc.Unset(key)
		if wrong != nil {
			return
		}
		if found != doc.Has(key) || !found && less != text || !isWithin(less, text) {
			t.Fatalf("%q without %s: %q, %v", text, key, less, found)
		}
		if err == nil && !doc.Has(key) && !isWithin(text, got) {
			t.Fatalf("%q with %s: %q", text, key, got)
		}
	})
}
