package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/internal/tomltext"
)

// resolve reads the key that a user wrote and finds its manual: that of the table for
// a key like env.LANG. net.0.type is net[0].type, for shells to which [ is special.
func resolve(text string, fields []Field) (tomltext.Key, Field, error) {
	parts, err := tomltext.ParseKey(text)
	if err != nil {
		return nil, Field{}, err
	}
	var key tomltext.Key
	var field Field
	for i, part := range parts {
		if field.Type == "list of tables" && key[len(key)-1].Index == tomltext.NoIndex {
			if part, err = entry(part, field.Key); err != nil {
				return nil, Field{}, err
			}
			key = append(key, part)
			continue
		}
		switch {
		case part.Index != tomltext.NoIndex:
			return nil, Field{}, fmt.Errorf("%s: %s has no entries that a key could name", key, field.Key)
		case field.isNamed() && i == len(parts)-1:
			return append(key, part), field, nil
		case field.Type == "table of credentials" && i == len(parts)-2 && isSource(parts[i+1].Name):
			return append(key, part, parts[i+1]), field, nil
		}
		var known bool
		if field, known = find(fields, below(field.Key, part.Name)); !known {
			return nil, Field{}, unknownKey(text, fields)
		}
		key = append(key, part)
	}
	return key, field, nil
}

// below is the key of a field in a table, as Field has it.
func below(table, name string) string {
	if table == "" {
		return name
	}
	return table + "." + name
}

func find(fields []Field, key string) (Field, bool) {
	for _, f := range fields {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}

// entry is the part of a key that names an entry of a list.
func entry(part tomltext.Part, list string) (tomltext.Part, error) {
	if part.Index != tomltext.NoIndex {
		return part, nil
	}
	if n, err := strconv.Atoi(part.Name); err == nil && n >= 0 {
		return tomltext.At(n), nil
	}
	return part, fmt.Errorf("%s is a list of tables: name an entry, as in %s[0].%s", list, list, part.Name)
}

// unknownKey says that there is no such key, and which one was meant.
func unknownKey(text string, fields []Field) error {
	var known []string
	for _, f := range fields {
		if !f.isTable() {
			known = append(known, ShownKey(f.Key, fields))
		}
	}
	near := nearest.Of(text, known)
	_, last, _ := cutLast(text)
	for _, key := range known {
		if _, name, _ := cutLast(key); near == "" && name == last {
			near = key
		}
	}
	message := printable(shorten(text, 100)) + ": unknown key"
	if near != "" {
		message += "\nhint: did you mean " + near + "?"
	}
	return errors.New(message)
}

// isTable tells whether the field is a table that has fields of its own.
func (f *Field) isTable() bool { return f.Type == "table" || f.Type == "list of tables" }

// isNamed tells whether the field is a table whose keys are the user's.
func (f *Field) isNamed() bool {
	return strings.HasPrefix(f.Type, "table of ")
}

// isSource tells whether a word says where a credential comes from.
func isSource(word string) bool { return word == "file" || word == "base64" || word == "text" }

// ShownKey is a field's key as a user may write it: of a list of tables, the first entry's.
func ShownKey(key string, fields []Field) string {
	var path, written string
	for name := range strings.SplitSeq(key, ".") {
		path, written = below(path, name), below(written, name)
		if f, _ := find(fields, path); f.Type == "list of tables" && path != key {
			written = indexPath(written, 0)
		}
	}
	return written
}

// tableError says that a key is a table where one with a value is wanted.
func tableError(key tomltext.Key, f Field, fields []Field) error {
	kind := "a table"
	switch {
	case f.isNamed():
		return fmt.Errorf("%s is a table\nhint: name a key in it, as in %s.NAME", key, key)
	case f.Type == "list of tables":
		kind = "a list of tables"
		if key[len(key)-1].Index == tomltext.NoIndex {
			key = append(key, tomltext.At(0))
		}
	}
	var names []string
	for _, other := range fields {
		if table, name, _ := cutLast(other.Key); table == f.Key {
			names = append(names, key.String()+"."+name)
		}
	}
	return fmt.Errorf("%s is %s\nhint: name a key in it: %s", f.Key, kind, strings.Join(names, ", "))
}
