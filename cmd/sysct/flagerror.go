package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sysct/sysct/internal/nearest"
)

// flagError puts what the library says of a flag into one printable line, and
// suggests the flag that was meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalidValue *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return unknownFlag(cmd, unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return invalid("unknown flag: -%s%s", escape(unknown.GetSpecifiedName()), habitHint(cmd, unknown.GetSpecifiedName()))
	case errors.As(err, &valueless):
		return missing("value of --" + valueless.GetFlag().Name)
	case errors.As(err, &invalidValue):
		return invalid("--%s: %w", invalidValue.GetFlag().Name, valueError(invalidValue))
	}
	return usage(errors.New(escape(err.Error())))
}

func unknownFlag(cmd *cobra.Command, word string) error {
	text := "unknown flag: --" + escape(word)
	var words []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { words = append(words, f.Name) })
	if near := nearest.Of(word, words); near != "" {
		return usage(errors.New(text + "\nhint: did you mean --" + near + "?"))
	}
	return usage(errors.New(text + habitHint(cmd, word)))
}

// habitHint is for flags that belong elsewhere: LXC's for the name, and those of a
// command or a template, that need a -- before them.
func habitHint(cmd *cobra.Command, flag string) string {
	switch verb := cmd.Name(); {
	case flag == "n" || flag == "name":
		return "\nhint: a guest's name is an argument by itself, without -n"
	case verb == "exec" || verb == "shell":
		return "\nhint: put -- before the command and its flags"
	case verb == "create" || verb == "launch":
		return "\nhint: put -- before the template's own flags"
	}
	return ""
}

// valueError is why a flag's value is no good: of numbers and switches the
// library tells what its own functions say.
func valueError(err *pflag.InvalidValueError) error {
	switch err.GetFlag().Value.Type() {
	case "int":
		return fmt.Errorf("%s is not a number of that size", strconv.Quote(err.GetValue()))
	case "bool":
		return fmt.Errorf("%s is neither true nor false", strconv.Quote(err.GetValue()))
	}
	return errors.Unwrap(err)
}

// exclusive refuses flags that contradict each other.
func exclusive(cmd *cobra.Command, flags ...string) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		var given []string
		for _, name := range flags {
			if cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		if len(given) > 1 {
			return invalid("%s exclude each other", strings.Join(given, " and "))
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// tooMany refuses an argument that nothing takes.
func tooMany(arg string) error { return invalid("too many arguments: %s", escape(arg)) }
