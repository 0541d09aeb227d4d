package spec

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/nearest"
)

// tomlValue is a type of its own in a configuration file.
type tomlValue interface {
	fromTOML(value any) error // value is a string, int64, float64, bool, time.Time, array or table
	String() string           // what fromTOML reads back
}

// decoder puts TOML's tables into a struct, by the tags of its fields and exactly
// as they are written. It goes on after a fault, so that of several the one that
// stands first in the file can be reported.
type decoder struct {
	src    *source
	fields []Field
	first  *ParseError
	offset int // of first
}

func (d *decoder) root(table map[string]any, target any) {
	d.table("", table, reflect.ValueOf(target).Elem())
}

// fail notes a fault of the key at path.
func (d *decoder) fail(path, format string, args ...any) {
	// A file can have 100,000 faults, and to find a line takes a look at the whole
	// text: so only for one that stands before all others yet.
	if d.before(path) {
		d.first = d.src.error(path, format, args...)
		d.offset, _ = d.src.keys.find(path)
	}
}

// before tells whether the key at path stands before all faults yet.
func (d *decoder) before(path string) bool {
	offset, _ := d.src.keys.find(path)
	return d.first == nil || offset < d.offset
}

// err returns the first fault, or nil.
func (d *decoder) err() error {
	if d.first == nil {
		return nil
	}
	return d.first
}

func (d *decoder) table(path string, table map[string]any, v reflect.Value) {
	for key, value := range table {
		if field, ok := fieldOf(v, key); ok {
			d.value(joinPath(path, key), value, field)
		} else {
			d.unknown(path, key, value, v)
		}
	}
}

// fieldOf finds the field of struct v whose tag is key.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func (d *decoder) value(path string, value any, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if own, ok := v.Addr().Interface().(tomlValue); ok {
		if err := own.fromTOML(value); err != nil {
			d.fail(path, "%s", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if table, ok := value.(map[string]any); ok {
			d.table(path, table, v)
			return
		}
		d.fail(path, "%s", wrongType("a table", value))
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.String {
			d.valueMap(path, value, v)
			return
		}
		d.stringMap(path, value, v)
	case reflect.Slice:
		d.slice(path, value, v)
	default:
		d.scalar(path, value, v)
	}
}

// scalar takes a string, an integer or a truth value.
func (d *decoder) scalar(path string, value any, v reflect.Value) {
	switch x := value.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return
		}
	case int64:
		if v.CanInt() {
			v.SetInt(x)
			return
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return
		}
	}
	want := "a string"
	switch {
	case v.CanInt():
		want = "an integer"
	case v.Kind() == reflect.Bool:
		want = "true or false"
	}
	d.fail(path, "%s", wrongType(want, value))
}

// stringMap takes a table of strings.
func (d *decoder) stringMap(path string, value any, v reflect.Value) {
	table, ok := value.(map[string]any)
	if !ok {
		d.fail(path, "%s", wrongType("a table", value))
		return
	}
	result := map[string]string{}
	for key, item := range table {
		if s, ok := item.(string); ok {
			result[key] = s
		} else {
			d.fail(joinPath(path, key), "%s", wrongType("a string", item))
		}
	}
	if len(result) > 0 && v.IsNil() {
		v.Set(reflect.ValueOf(result))
		return
	}
	for key, s := range result { // over another layer
		v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(s))
	}
}

// valueMap takes a table of values of a type of their own.
func (d *decoder) valueMap(path string, value any, v reflect.Value) {
	table, ok := value.(map[string]any)
	if !ok {
		d.fail(path, "%s", wrongType("a table", value))
		return
	}
	if len(table) == 0 {
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for key, item := range table {
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(joinPath(path, key), item, one)
		v.SetMapIndex(reflect.ValueOf(key), one)
	}
}

// slice takes an array of strings or of tables.
func (d *decoder) slice(path string, value any, v reflect.Value) {
	var items []any
	switch x := value.(type) {
	case []any:
		items = x
	case []map[string]any:
		for _, table := range x {
			items = append(items, table)
		}
	case map[string]any:
		if v.Type().Elem().Kind() == reflect.Struct {
			d.fail(path, "must be an array of tables: write [[%s]]", path)
			return
		}
		d.fail(path, "%s", wrongType("an array of strings", value))
		return
	default:
		d.fail(path, "%s", wrongType("an array", value))
		return
	}
	// The default has other items: none of them may stay.
	v.SetZero()
	if len(items) > 0 {
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	}
	for i, item := range items {
		d.value(indexPath(path, i), item, v.Index(i))
	}
}

// unknown refuses a key that the table v doesn't have, with a guess at what was meant.
func (d *decoder) unknown(path, key string, value any, v reflect.Value) {
	path = joinPath(path, key)
	if !d.before(path) {
		return // a guess takes time, and a file can have 100,000 unknown keys
	}
	var known []string
	for i := range v.NumField() {
		known = append(known, v.Type().Field(i).Tag.Get("toml"))
	}
	hint := ""
	if !isTable(value) {
		hint = d.elsewhere(key)
	}
	if near := nearest.Of(key, known); near != "" {
		hint = ": did you mean " + near + "?"
	}
	d.fail(path, "unknown key%s", hint)
}

// isTable tells whether a value is a table or an array of them, as [[mount]]: not what
// a key of the same name is for.
func isTable(value any) bool {
	switch value.(type) {
	case map[string]any, []map[string]any:
		return true
	}
	return false
}

// elsewhere says which table the key belongs in, if another one has it or one that
// is spelled nearly so.
func (d *decoder) elsewhere(key string) string {
	var names, keys []string
	for _, f := range d.fields {
		table, name, nested := cutLast(f.Key)
		switch {
		case name == key && nested:
			return ": it belongs in the table " + table
		case name == key:
			return ": it belongs before the first table"
		}
		names, keys = append(names, name), append(keys, f.Key)
	}
	if i := slices.Index(names, nearest.Of(key, names)); i >= 0 {
		return ": did you mean " + keys[i] + "?"
	}
	return ""
}

// cutLast splits limits.memory at its last point.
func cutLast(key string) (table, name string, nested bool) {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i], key[i+1:], true
	}
	return "", key, false
}
