package spec

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Texts are the values of a configuration that aren't the default's, by their keys, as
// Change takes them: what has to be noted to find out later what was changed. A key that
// has a value by default and none here has "".
func Texts(g *Guest) map[string]string {
	texts, standard := textsOf(g), textsOf(Default())
	for key, text := range standard {
		if now, ok := texts[key]; !ok {
			texts[key] = ""
		} else if now == text {
			delete(texts, key)
		}
	}
	return texts
}

// Difference is a key that isn't as it was.
type Difference struct {
	Key      string
	Change   string // when a change counts: "restart" or "live"
	From, To string // as Change takes them; "": none
	Secret   bool   // the values aren't to be shown
}

// Differences compares texts that were noted with a configuration. They are in the order
// of the manual, keys that are gone last.
func Differences(noted map[string]string, now *Guest) []Difference {
	standard := textsOf(Default())
	was := maps.Clone(standard)
	for key, text := range noted {
		was[key] = text
		if _, ok := standard[key]; ok && text == "" {
			delete(was, key)
		}
	}
	var list []Difference
	for _, v := range allValues(now) {
		before, had := was[v.Key]
		delete(was, v.Key)
		if isBlank(v.Field, v.Key, v.Text) && (!had || before == v.Text) {
			continue
		}
		if had != (v.Value != nil) || before != v.Text {
			list = append(list, Difference{Key: v.Key, Change: v.Field.Change, From: before, To: v.Text, Secret: v.Secret})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, field, err := resolve(key, GuestFields()); err == nil && isBlank(field, key, was[key]) {
			continue
		}
		list = append(list, Difference{Key: key, Change: ChangeOf(key), From: was[key], Secret: strings.HasPrefix(key, "credentials.")})
	}
	return list
}

// textsOf are the values that there are, by their keys.
func textsOf(g *Guest) map[string]string {
	texts := map[string]string{}
	for _, v := range allValues(g) {
		if v.Value != nil {
			texts[v.Key] = v.Text
		}
	}
	return texts
}

// allValues are the values of a configuration, in the order of the manual.
func allValues(g *Guest) []Value {
	w := valueWalk{fields: GuestFields()}
	w.table(nil, "", reflect.ValueOf(g).Elem())
	return w.values
}
