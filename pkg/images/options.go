package images

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/nearest"
)

// option is an argument that methods understand. Its value ends up in an argument list or in a file of apt's: never in a shell,
// but a leading dash, a space or a newline would have a meaning there as well.
type option struct {
	isSwitch bool
	isList   bool // may be given several times; commas separate
	check    func(value string) error
}

// optionOf returns the option of that long name; one that no method knows has no check.
func optionOf(long string) option {
	switch long {
	case "release":
		return option{check: matches(`^[a-z][a-z0-9.+-]{0,31}$`, "is not a release name")}
	case "arch":
		return option{check: matches(`^[a-z0-9][a-z0-9-]{0,15}$`, "is not an architecture")}
	case "include":
		return option{isList: true, check: matches(`^[a-z0-9][a-z0-9.+-]{1,99}$`, "is not a package name")}
	case "mirror":
		return option{check: checkMirror}
	case "init":
		return option{check: matches(`^[a-z][a-z0-9-]{0,15}$`, "is not the name of an init")}
	case "allow-expired":
		return option{isSwitch: true, check: matches(`^(true|false)$`, "is not true or false")}
	}
	return option{}
}

func matches(pattern, otherwise string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(value string) error {
		if !re.MatchString(value) {
			return fmt.Errorf("%q %s", value, otherwise)
		}
		return nil
	}
}

func checkMirror(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || !isMirrorText(value) {
		return fmt.Errorf("%q is not an http or https URL", value)
	}
	return nil
}

// check tells whether the option may have that value; "" is an option that isn't given.
func (a Arg) check(value string) error {
	o := optionOf(a.Long)
	if value == "" {
		return nil
	}
	if o.check == nil {
		return errors.New("nothing knows this argument")
	}
	parts := []string{value}
	if o.isList {
		parts = strings.Split(value, ",")
	}
	for _, part := range parts {
		if err := o.check(part); err != nil {
			return err
		}
		if err := a.checkKnown(part); err != nil {
			return err
		}
	}
	return nil
}

// checkKnown compares with the list of values. An open list goes out of date, so only what looks like a slip is refused.
func (a Arg) checkKnown(value string) error {
	if len(a.Values) == 0 || slices.Contains(a.Values, value) {
		return nil
	}
	near := nearest.Of(value, a.Values)
	switch {
	case near != "":
		return fmt.Errorf("unknown value %q (did you mean %q?)", value, near)
	case a.Open:
		return nil
	}
	return fmt.Errorf("unknown value %q (known: %s)", value, strings.Join(a.Values, ", "))
}
