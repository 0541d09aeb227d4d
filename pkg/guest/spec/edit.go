package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/tomltext"
)

// Change is what becomes of one key of a configuration.
type Change struct {
	Key   string // limits.memory, env.LANG, net[0].type or net.0.type
	Value string // as on a command line: strings without quotes, lists as a,b or ["a", "b"]
	Unset bool   // the key is removed; Value means nothing
}

// ParseChange reads KEY=VALUE.
func ParseChange(text string) (Change, error) {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return Change{}, fmt.Errorf("%s is not KEY=VALUE", show(text))
	}
	return Change{Key: strings.TrimSpace(key), Value: value}, nil
}

// Edit is Edit of Layers for a file that is read alone.
func Edit(data []byte, name string, changes []Change) ([]byte, error) {
	return (*Layers)(nil).Edit(data, name, changes)
}

// Edit returns the text of a guest's configuration with all of the changes made, and
// every byte that has nothing to do with them as it was; name stands for the file in
// errors. The result is one that Parse takes: a fault in one of the changes is an
// error that names its key, one elsewhere in the file is a *ParseError.
func (l *Layers) Edit(data []byte, name string, changes []Change) ([]byte, error) {
	_, fault := l.Parse(data, name)
	text := string(data)
	if _, err := tomltext.Parse(text); err != nil {
		// What can't be read by lines can't be read at all, and Parse says it better.
		return nil, cmp.Or(fault, err)
	}
	var keys []tomltext.Key
	for _, c := range changes {
		key, changed, err := applyChange(text, c, GuestFields())
		if err != nil {
			return nil, err
		}
		if last := len(key) - 1; c.Unset && last > 0 && key[last].Index != tomltext.NoIndex {
			key = key[:last] // the entries after one that goes take other places
		}
		text, keys = changed, append(keys, key)
	}
	_, err := l.Parse([]byte(text), name)
	if err != nil {
		if unread(data, name) && unread([]byte(text), name) && sameField(fault, err) {
			return nil, fault // as with a key that is there twice: no change of a value mends it
		}
		return nil, editError(err, fault, name, keys)
	}
	if fault == nil {
		err = onlyKeys(data, []byte(text), name, keys)
	}
	return []byte(text), err
}

// applyChange makes one change and returns the key that it is about.
func applyChange(text string, c Change, fields []Field) (tomltext.Key, string, error) {
	key, field, err := resolve(c.Key, fields)
	if err != nil {
		return nil, "", err
	}
	doc, err := tomltext.Parse(text)
	if err != nil {
		return nil, "", err
	}
	whole := isWhole(key, field)
	if c.Unset {
		if whole && field.Type != "list of tables" && field.Type != "table of sizes" {
			return nil, "", tableError(key, field, fields)
		}
		text, _ := doc.Unset(key)
		return key, text, nil
	}
	if whole {
		return nil, "", tableError(key, field, fields)
	}
	if strings.HasPrefix(field.Key, "limits.") && slices.Contains([]string{"max", "unlimited", "none"}, c.Value) && field.Type != "string" {
		return nil, "", fmt.Errorf("%s: %s is no value\nhint: for no limit remove the key: sysct unset NAME %s", key, show(c.Value), key)
	}
	literal, err := literalOf(c.Value, field)
	if err == nil {
		text, err = doc.Set(key, literal)
		return key, text, err
	}
	return nil, "", fmt.Errorf("%s: %w", key, err)
}

// editError words what Parse says of an edited text: without a place if it is about
// what was changed, which has none yet; as it was said before the changes if it was.
func editError(err, before error, name string, keys []tomltext.Key) error {
	var now *ParseError
	if !errors.As(err, &now) || now.File != name {
		return err // in a file that is included, which has its place
	}
	ours := slices.ContainsFunc(keys, func(key tomltext.Key) bool {
		return isBelow(now.Field, key.String()) || now.Field != "" && isBelow(key.String(), now.Field)
	})
	if !ours && before != nil {
		return before
	}
	if now.Field == "" {
		return errors.New(printable(shorten(keys[0].String(), 100) + ": " + shorten(now.Msg, 400)))
	}
	return errors.New(printable(now.Field + ": " + shorten(now.Msg, 400)))
}

// unread tells of a text that isn't even TOML as it is read here.
func unread(data []byte, name string) bool {
	src := &source{file: name, data: data}
	if src.checkText() != nil {
		return true
	}
	_, err := src.parse()
	return err != nil
}

// sameField tells whether two faults are of the same key.
func sameField(a, b error) bool {
	var one, other *ParseError
	return errors.As(a, &one) && errors.As(b, &other) && one.File == other.File && one.Field == other.Field
}

// onlyKeys is onlyThese for texts. What they include isn't looked at: it may be others.
func onlyKeys(was, is []byte, name string, keys []tomltext.Key) error {
	before, err := (&source{file: name, data: was}).alone()
	if err != nil {
		return err
	}
	after, err := (&source{file: name, data: is}).alone()
	if err != nil {
		return err
	}
	return onlyThese(before, after, keys)
}

// onlyThese makes sure that nothing but the keys has changed: the text was edited by
// other rules than it is read by. An entry of a list that is new has all its keys.
func onlyThese(before, after *Guest, keys []tomltext.Key) error {
	have := keysOf(before)
	for _, key := range Diff(before, after) {
		if !slices.ContainsFunc(keys, func(k tomltext.Key) bool {
			return isBelow(key, k.String()) || isBelow(key, newEntry(k, have))
		}) {
			return fmt.Errorf("cannot change %s without changing %s: edit the file", keys[0], key)
		}
	}
	return nil
}

// newEntry is the entry of a list that a key is in, if have has none of its keys; else it
// is a key that there can't be.
func newEntry(key tomltext.Key, have []string) string {
	for i, part := range key {
		if part.Index == tomltext.NoIndex {
			continue
		}
		entry := key[:i+1].String()
		if !slices.ContainsFunc(have, func(k string) bool { return isBelow(k, entry) }) {
			return entry
		}
	}
	return "\x00"
}

// isBelow tells whether a key is another one or in it.
func isBelow(key, table string) bool {
	rest, ok := strings.CutPrefix(key, table)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
