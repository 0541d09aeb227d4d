package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/internal/nearest"
)

// newHelp takes the place of cobra's help, which explains a verb that isn't there with
// the verbs that are, and calls it success.
func newHelp(*app) *cobra.Command {
	return &cobra.Command{
		Use: "help [VERB [ACTION]]", Short: "Explain a verb", Example: "  sysct help\n  sysct help start\n  sysct help host init",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				return invalid("too many arguments: %s", args[2])
			}
			return nil
		},
		ValidArgsFunction: completeVerbs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Root().Help()
			}
			found, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil || found == cmd.Root():
				return unknownVerb(cmd.Root(), args)
			case len(rest) > 0 && found.HasSubCommands():
				return unknownAction(found, rest)
			case len(rest) > 0:
				return invalid("too many arguments: %s", rest[0])
			}
			return found.Help()
		},
	}
}

const completionLong = `Print a script that has a shell complete verbs, options, guests and keys.

Debian's bash-completion, zsh and fish find it by themselves where make install
puts it.`

const completionExample = `  sysct completion bash >/usr/share/bash-completion/completions/sysct
  sysct completion zsh >/usr/share/zsh/vendor-completions/_sysct
  sysct completion fish >/usr/share/fish/vendor_completions.d/sysct.fish`

func shells() []string { return []string{"bash", "zsh", "fish"} }

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "Print a shell's completion script", Long: completionLong, Example: completionExample,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return missing("shell: bash, zsh or fish")
			case 1:
				return nil
			}
			return invalid("too many arguments: %s", args[1])
		},
		ValidArgs: shells(),
		RunE:      func(cmd *cobra.Command, args []string) error { return runCompletion(cmd.Root(), a, args[0]) },
	}
}

func runCompletion(root *cobra.Command, a *app, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.out, true)
	case "zsh":
		return root.GenZshCompletion(a.out)
	case "fish":
		return root.GenFishCompletion(a.out, true)
	}
	text := fmt.Sprintf("unknown shell %q: bash, zsh or fish", shell)
	if near := nearest.Of(shell, shells()); near != "" {
		text += "\nhint: did you mean " + near + "?"
	}
	return usage(errors.New(text))
}
