package spec

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sysct/sysct/internal/tomltext"
)

// Render writes g as a configuration file with the manual of every key: keys that
// are as in Default are comments. g must pass Check; then Parse(Render(g)) is g.
func Render(g *Guest) []byte {
	r := newRenderer(GuestFields(), "restart")
	r.comment(
		"The configuration of this guest. A key behind # stands at its default, or is an",
		"example. Changes count from the guest's next start on, unless the key says that",
		"they count at once. Unknown keys are refused: a mistyped one does not go unnoticed.",
	)
	return r.render(g, Default())
}

// RenderHost is Render for the host's configuration.
func RenderHost(h *Host) []byte {
	r := newRenderer(HostFields(), "live")
	r.comment(
		"The configuration of sysct on this host: /etc/sysct/sysct.toml. A key behind #",
		"stands at its default. Changes count from the next command on; guests that run stay",
		"where they are. Unknown keys are refused: a mistyped one does not go unnoticed.",
	)
	return r.render(h, DefaultHost())
}

// renderer writes a struct as TOML, each key with its Field.
type renderer struct {
	b      strings.Builder
	fields map[string]Field
	change string // the Change that needs no mention
}

func newRenderer(fields []Field, change string) *renderer {
	r := &renderer{fields: map[string]Field{}, change: change}
	for _, f := range fields {
		r.fields[f.Key] = f
	}
	return r
}

func (r *renderer) render(value, standard any) []byte {
	r.table("", reflect.ValueOf(value).Elem(), reflect.ValueOf(standard).Elem())
	return []byte(r.b.String())
}

func (r *renderer) line(s string) { r.b.WriteString(s + "\n") }

func (r *renderer) comment(lines ...string) {
	for _, line := range lines {
		r.line(strings.TrimRight("# "+line, " "))
	}
}

// table writes the keys of a struct, then its tables: what follows a table's head in
// TOML belongs to it.
func (r *renderer) table(path string, v, standard reflect.Value) {
	var tables []func()
	for i := range v.NumField() {
		key := joinPath(path, v.Type().Field(i).Tag.Get("toml"))
		value, standard := v.Field(i), standard.Field(i)
		switch {
		case isTables(value):
			tables = append(tables, func() { r.tables(key, value) })
		case value.Kind() == reflect.Struct:
			tables = append(tables, func() {
				r.head(key, "["+key+"]")
				r.table(key, value, standard)
			})
		case value.Kind() == reflect.Map:
			tables = append(tables, func() { r.named(key, value) })
		default:
			r.key(key, value, standard)
		}
	}
	for _, write := range tables {
		write()
	}
}

func isTables(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

// head writes the manual of a table and its head.
func (r *renderer) head(key, head string) {
	r.line("")
	r.manual(r.fields[key])
	r.line(head)
}

func (r *renderer) manual(f Field) {
	r.comment(strings.Split(f.Summary, "\n")...)
	if f.Unit != "" {
		r.comment("Unit: " + f.Unit + ".")
	}
	if f.Default != "" {
		r.comment("Default: " + f.Default + ".")
	}
	switch {
	case f.Change == r.change:
	case f.Change == "live":
		r.comment("A change counts at once.")
	case f.Change == "restart":
		r.comment("A change counts from the guest's next start on.")
	}
}

// key writes one key, as a comment if its value is the standard one. The version
// is always there: it says how to read the rest.
func (r *renderer) key(key string, v, standard reflect.Value) {
	f := r.fields[key]
	r.line("")
	r.manual(f)
	_, name, _ := cutLast(key)
	switch {
	case !same(v, standard) || key == "version":
		r.line(name + " = " + literal(v))
	case isNone(v):
		r.comment(name + " = " + f.Example)
	default:
		r.comment(name + " = " + literal(v))
	}
}

// tables writes an array of tables; one that is empty as a commented example.
func (r *renderer) tables(key string, v reflect.Value) {
	if v.Len() == 0 {
		r.head(key, "# [["+key+"]]")
		r.example(key, reflect.Zero(v.Type().Elem()))
	}
	for i := range v.Len() {
		r.head(key, "[["+key+"]]")
		r.table(key, v.Index(i), reflect.Zero(v.Type().Elem()))
	}
}

// example writes the keys of an entry that isn't there, all as comments.
func (r *renderer) example(key string, none reflect.Value) {
	for i := range none.NumField() {
		field := joinPath(key, none.Type().Field(i).Tag.Get("toml"))
		if none.Field(i).Kind() == reflect.Struct {
			r.head(field, "# ["+field+"]")
			r.example(field, none.Field(i))
			continue
		}
		r.key(field, none.Field(i), none.Field(i))
	}
}

// named writes a table whose keys are the user's, in their order.
func (r *renderer) named(key string, v reflect.Value) {
	r.head(key, "["+key+"]")
	if v.Len() == 0 {
		r.comment(r.fields[key].Example)
	}
	names := v.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, name := range names {
		if c, ok := reflect.TypeAssert[Credential](v.MapIndex(name)); ok {
			r.line(tomltext.Quote(name.String()) + " = " + c.toml())
			continue
		}
		r.line(name.String() + " = " + literal(v.MapIndex(name)))
	}
}

// isNone tells whether v has no value that could be written.
func isNone(v reflect.Value) bool {
	return v.IsZero() && !v.CanInt() && v.Kind() != reflect.Bool || v.Kind() == reflect.Slice && v.Len() == 0
}

// same is equality for which an empty list is none.
func same(a, b reflect.Value) bool {
	return isNone(a) && isNone(b) || reflect.DeepEqual(a.Interface(), b.Interface())
}

// literal is TOML's text of a value.
func literal(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if commands, ok := reflect.TypeAssert[Commands](v); ok {
		if len(commands) == 1 {
			return quote(commands[0])
		}
		return listText(commands)
	}
	own := reflect.New(v.Type())
	own.Elem().Set(v)
	if value, ok := own.Interface().(tomlValue); ok {
		return quote(value.String())
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.Kind() == reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, literal(v.Index(i)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return quote(v.String())
}

// quote is TOML's basic string of a text without control characters.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
