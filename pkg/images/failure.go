package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// failure is a failed build as the user is told of it: what the tool's last words mean where that is known, else the words.
func failure(r *Recipe, err error, out *output) error {
	e := &BuildError{Recipe: r.String(), Err: err, Lines: out.last()}
	known, hint := r.explain(e.Lines)
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		e.Lines = nil // the lines are not the reason
	case known != "":
		e.Err, e.Lines, e.Hint = fmt.Errorf("%s (%w)", known, err), nil, hint
	}
	return e
}

// explain finds in the last lines of apt, mmdebstrap or debootstrap a cause that the user can do something about.
func (r *Recipe) explain(lines []string) (cause, hint string) {
	for _, line := range lines {
		if file, why, ok := invalidRelease(line); ok && !r.isSet("allow-expired") {
			return file + " " + why, "add --allow-expired to the template's arguments: it accepts that for this build, not in the guest"
		}
	}
	for _, line := range lines {
		if name := missingPackage(line); name != "" {
			return r.explainMissing(name), ""
		}
	}
	return "", ""
}

// invalidRelease finds apt's complaint about the dates of a release file.
func invalidRelease(line string) (file, why string, ok bool) {
	_, rest, found := strings.Cut(line, "Release file for ")
	if file, why, ok = strings.Cut(rest, " is expired"); found && ok {
		why, _, _ = strings.Cut(strings.TrimPrefix(why, " (invalid since "), ")")
		return file, "has expired, " + why + " ago", true
	}
	if file, _, ok = strings.Cut(rest, " is not valid yet"); found && ok {
		return file, "is not valid yet by this host's clock", true
	}
	return "", "", false
}

// missingPackage finds the name of a package that the archive doesn't have.
func missingPackage(line string) string {
	for _, form := range []struct{ before, after string }{
		{"E: Unable to locate package ", ""},
		{"E: Package '", "' has no installation candidate"},
		{"E: Couldn't find these debs: ", ""},
	} {
		rest, ok := strings.CutPrefix(line, form.before)
		if ok && strings.HasSuffix(rest, form.after) {
			name, _, _ := strings.Cut(strings.TrimSuffix(rest, form.after), " ")
			return name
		}
	}
	return ""
}

func (r *Recipe) explainMissing(name string) string {
	text := fmt.Sprintf("%s %s has no package %q", r.Template, r.Release, name)
	if chosen, _ := r.chosenInit(); slices.Contains(chosen.Include, name) {
		text += fmt.Sprintf(", which init %q needs", chosen.Name)
	}
	return text
}
