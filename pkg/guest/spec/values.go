package spec

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/tomltext"
)

// Value is what a key of a configuration is.
type Value struct {
	Key   string // limits.memory, env.LANG, net[0].type
	Field Field  // its manual; of a key in a table of strings, the table's
	Text  string // as Change takes it; "" if the key has no value
	Value any    // nil, string, int64, float64, bool or []string: sizes in bytes, times in seconds, CPUs
	Set   bool   // a file says it
	// Origin is the file that says it, "" if none does. It is the guest's own or one that
	// this is laid over.
	Origin string

	Secret bool // it isn't for a list that somebody looks over
}

// Values is Values of Layers for a file that is read alone.
func Values(data []byte, name, key string) ([]Value, error) {
	return (*Layers)(nil).Values(data, name, key)
}

// Values returns the values of all keys, or of the key or table that is named, with
// the defaults of those that the text doesn't have. Tables of strings and lists of
// tables have the keys that the text gives them.
func (l *Layers) Values(data []byte, name, key string) ([]Value, error) {
	c, err := l.Read(data, name)
	if err != nil {
		return nil, err
	}
	w := valueWalk{fields: GuestFields()}
	for _, src := range slices.Backward(c.sources) {
		doc, err := tomltext.Parse(string(src.data))
		if err != nil {
			return nil, err
		}
		w.docs = append(w.docs, layerDoc{doc, src.file})
	}
	w.table(nil, "", reflect.ValueOf(c.Guest).Elem())
	if key == "" {
		return w.values, nil
	}
	wanted, field, err := resolve(key, w.fields)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(w.values, func(v Value) bool { return !isBelow(v.Key, wanted.String()) })
	if len(chosen) == 0 && !isWhole(wanted, field) {
		chosen = []Value{{Key: wanted.String(), Field: field}}
	}
	return chosen, nil
}

// IsTable tells whether a key that Values takes is a table rather than a value.
func IsTable(key string) bool {
	path, field, err := resolve(key, GuestFields())
	return err == nil && isWhole(path, field)
}

// isWhole tells whether a key with that manual is a table.
func isWhole(key tomltext.Key, f Field) bool {
	return f.isTable() || f.isNamed() && key.String() == f.Key
}

// valueWalk goes over a configuration in the order of its manual.
type valueWalk struct {
	fields []Field
	docs   []layerDoc // the topmost first
	values []Value
}

// layerDoc is a file as text.
type layerDoc struct {
	*tomltext.Doc
	file string
}

// origin is the topmost file that has a key. The lists of files are the own file's.
func (w *valueWalk) origin(key tomltext.Key) string {
	for i, doc := range w.docs {
		if doc.Has(key) && (i == 0 || !isLayerKey(key.String())) {
			return doc.file
		}
	}
	return ""
}

// isLayerKey tells the keys that name the files below.
func isLayerKey(key string) bool { return key == "include" || key == "profiles" }

func (w *valueWalk) table(key tomltext.Key, path string, v reflect.Value) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("toml")
		field, _ := find(w.fields, below(path, name))
		w.field(append(slices.Clip(key), tomltext.Named(name)), field, v.Field(i))
	}
}

func (w *valueWalk) field(key tomltext.Key, field Field, v reflect.Value) {
	switch field.Type {
	case "table":
		w.table(key, field.Key, v)
	case "list of tables":
		for i := range v.Len() {
			w.table(append(slices.Clip(key), tomltext.At(i)), field.Key, v.Index(i))
		}
	case "table of strings":
		table, _ := reflect.TypeAssert[map[string]string](v)
		for _, name := range slices.Sorted(maps.Keys(table)) {
			w.add(append(slices.Clip(key), tomltext.Named(name)), field, reflect.ValueOf(table[name]))
		}
	case "table of credentials":
		all, _ := reflect.TypeAssert[map[string]Credential](v)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			w.credential(append(slices.Clip(key), tomltext.Named(name)), field, all[name])
		}
	case "table of sizes", "table of resource limits":
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			w.add(append(slices.Clip(key), tomltext.Named(name.String())), field, v.MapIndex(name))
		}
	default:
		w.add(key, field, v)
	}
}

// credential adds one under the key that it is set by: credentials.NAME.file is a path.
func (w *valueWalk) credential(key tomltext.Key, field Field, c Credential) {
	if c.is == "file" || c.is == "base64" {
		key = append(slices.Clip(key), tomltext.Named(c.is))
	}
	origin := w.origin(key)
	w.values = append(w.values, Value{Key: key.String(), Field: field, Set: origin != "", Origin: origin, Text: c.String(), Value: c.String(), Secret: c.is != "file"})
}

func (w *valueWalk) add(key tomltext.Key, field Field, v reflect.Value) {
	origin := w.origin(key)
	value := Value{Key: key.String(), Field: field, Set: origin != "", Origin: origin}
	value.Text, value.Value = plainValue(v)
	if field.Type == "table of strings" {
		value.Value = value.Text // even an empty one is a value: the key is there
	}
	w.values = append(w.values, value)
}

// plainValue is a value as text and as what it is in JSON.
func plainValue(v reflect.Value) (string, any) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", nil
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case Bytes:
		return x.String(), int64(x)
	case Space:
		return x.String(), int64(x)
	case Rate:
		return x.String(), int64(x)
	case Rlimit:
		return x.String(), x.String()
	case Duration:
		return x.String(), time.Duration(x).Seconds()
	case CPUQuota:
		return x.String(), float64(x) / CPUPeriod
	case bool:
		if x {
			return "true", x
		}
		return "false", x
	case Commands:
		if len(x) == 0 {
			return "", nil
		}
		return x.String(), []string(x)
	case []string:
		if len(x) == 0 {
			return "", nil
		}
		return listText(x), x
	case string:
		if x == "" {
			return "", nil
		}
		return x, x
	}
	return literal(v), v.Int()
}

// Diff returns the keys that two configurations differ in, in the order of the manual.
func Diff(a, b *Guest) []string {
	var keys []string
	at := map[string]string{}
	for i, g := range []*Guest{a, b} {
		for _, v := range allValues(g) {
			if v.Value == nil || isBlank(v.Field, v.Key, v.Text) {
				v.Value, v.Text = nil, "" // an entry of a list has keys without values
			}
			is := v.Value != nil
			switch text, was := at[v.Key]; {
			case i == 1 && (was != is || text != v.Text):
				keys = append(keys, v.Key)
			case i == 0 && is:
				at[v.Key] = v.Text
			}
			if i == 1 {
				delete(at, v.Key)
			}
		}
	}
	return append(keys, slices.Sorted(maps.Keys(at))...)
}

// isBlank tells a number or a truth value that an entry of a list has without anybody having
// said so: it is no change of the configuration when the entry comes or goes.
func isBlank(field Field, key, text string) bool {
	return strings.Contains(key, "[") && (field.Type == "integer" && text == "0" || field.Type == "true or false" && text == "false" && field.Default != "true")
}

// keysOf returns the keys of all values that a configuration has.
func keysOf(g *Guest) []string {
	w := valueWalk{fields: GuestFields()}
	w.table(nil, "", reflect.ValueOf(g).Elem())
	keys := make([]string, len(w.values))
	for i, v := range w.values {
		keys[i] = v.Key
	}
	return keys
}

// ChangeOf says when a change of a key counts: "restart", with the guest's next
// start, or "live", at once.
func ChangeOf(key string) string {
	_, field, err := resolve(key, GuestFields())
	if err != nil {
		return ""
	}
	return field.Change
}
