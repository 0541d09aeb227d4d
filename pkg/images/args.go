package images

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/nearest"
)

// ArgError is a template argument that can't be used as it is.
type ArgError struct {
	Template string
	Arg      string // as the user wrote it
	Problem  string
}

// Error says what is wrong with which argument.
func (e *ArgError) Error() string {
	return fmt.Sprintf("cannot use template %q: argument %q: %s", e.Template, e.Arg, e.Problem)
}

// parse reads the arguments that stand after "--" and returns the value of each option of the template, "" if it has none.
// Forms: --long VALUE, --long=VALUE, -s VALUE, -sVALUE; switches alone or --switch=true.
func (t *Template) parse(args []string) (map[string]string, error) {
	values := map[string]string{}
	given := map[string]bool{}
	for len(args) > 0 {
		word := args[0]
		arg, value, hasValue, problem := t.lookup(word)
		args = args[1:]
		if problem == "" && !hasValue {
			switch {
			case arg.IsSwitch():
				value = "true"
			case len(args) == 0:
				problem = "needs a value"
			default:
				value, args = args[0], args[1:]
			}
		}
		if problem == "" {
			problem = arg.take(values, given, value)
		}
		if problem != "" {
			return nil, &ArgError{t.Name, word, problem}
		}
	}
	for _, a := range t.Args {
		if !given[a.Long] {
			values[a.Long] = a.Default
		}
	}
	return values, nil
}

// take adds a value that was given. Lists are sorted, so that the order in which they were given makes no other image.
func (a Arg) take(values map[string]string, given map[string]bool, value string) (problem string) {
	isList := optionOf(a.Long).isList
	switch {
	case given[a.Long] && !isList:
		return "given twice"
	case value == "":
		return "empty value"
	}
	if err := a.check(value); err != nil {
		return err.Error()
	}
	given[a.Long] = true
	if a.IsSwitch() && value == "false" {
		value = "" // the same image as without it
	}
	if isList {
		all := strings.Split(value, ",")
		if values[a.Long] != "" {
			all = append(all, strings.Split(values[a.Long], ",")...)
		}
		slices.Sort(all)
		value = strings.Join(slices.Compact(all), ",")
	}
	values[a.Long] = value
	return ""
}

// lookup finds the option that a word of the command line names, and the value if it is in the same word.
func (t *Template) lookup(word string) (arg Arg, value string, hasValue bool, problem string) {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		long, value, hasValue = strings.Cut(long, "=")
		for _, a := range t.Args {
			if a.Long == long {
				return a, value, hasValue, ""
			}
		}
		return arg, "", false, t.unknown(long)
	}
	short, ok := strings.CutPrefix(word, "-")
	if !ok || short == "" {
		return arg, "", false, "an option is expected here"
	}
	for _, a := range t.Args {
		if a.Short == short[:1] {
			return a, short[1:], len(short) > 1, ""
		}
	}
	return arg, "", false, t.unknown(short)
}

func (t *Template) unknown(name string) string {
	if len(t.Args) == 0 {
		return "this template has no arguments"
	}
	var all []string
	for _, a := range t.Args {
		all = append(all, a.Long)
	}
	if near := nearest.Of(name, all); near != "" {
		return fmt.Sprintf("unknown (did you mean %q?)", "--"+near)
	}
	return "unknown (known: --" + strings.Join(all, ", --") + ")"
}
