package images

import (
	"errors"
	"fmt"
	"slices"
)

// checkInits holds the argument "init" and the tables [[debootstrap.init]] against each other.
func checkInits(t *Template) error {
	named := map[string]bool{}
	for _, one := range t.Debootstrap.Inits {
		named[one.Name] = true
		if err := errors.Join(checkPackages(one.Include), checkPackages(one.Exclude), one.checkTrees(t.Debootstrap.Parts)); err != nil {
			return fmt.Errorf("init %q: %w", one.Name, err)
		}
	}
	i := slices.IndexFunc(t.Args, func(a Arg) bool { return a.Long == "init" })
	if i < 0 {
		if len(named) > 0 {
			return errors.New(`[[debootstrap.init]] needs an argument "init" that chooses one`)
		}
		return nil
	}
	arg := t.Args[i]
	for _, value := range append(arg.Values, arg.Default) {
		if !named[value] {
			return fmt.Errorf("argument %q: %q has no [[debootstrap.init]]", arg.Long, value)
		}
	}
	for _, one := range t.Debootstrap.Inits {
		if arg.Open || !slices.Contains(arg.Values, one.Name) {
			return fmt.Errorf("argument %q: values has to list %q, and open can't be set", arg.Long, one.Name)
		}
	}
	return nil
}

func (i *Init) checkTrees(parts map[string]Tree) error {
	for _, name := range i.Parts {
		part, ok := parts[name]
		if !ok {
			return fmt.Errorf("there is no [debootstrap.part.%s]", name)
		}
		if err := part.check(); err != nil {
			return err
		}
	}
	return i.Tree.check()
}

// chosenInit is what the template knows of the init that was asked for, in the recipe's release; nothing if it has no such argument.
func (r *Recipe) chosenInit() (Init, error) {
	name := r.values["init"]
	if name == "" {
		return Init{}, nil
	}
	var general *Init
	for i, one := range r.template.Debootstrap.Inits {
		switch {
		case one.Name != name:
		case slices.Contains(one.Releases, r.Release):
			return one, nil
		case len(one.Releases) == 0 && general == nil:
			general = &r.template.Debootstrap.Inits[i]
		}
	}
	if general == nil {
		return Init{}, fmt.Errorf("%s %s has no init %q", r.Template, r.Release, name)
	}
	return *general, nil
}

// variant is the init for names of things, "" if it is the one that the template makes by default.
func (r *Recipe) variant() string {
	for _, a := range r.template.Args {
		if a.Long == "init" && a.Default != r.values["init"] {
			return r.values["init"]
		}
	}
	return ""
}
