package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the build, -X main.version=…
var version = "devel"

func (a *app) printVersion() error {
	return a.printf("sysct %s (%s, %s)\n", version, runtime.Version(), runtime.GOARCH)
}

func newVersion(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  sysct version\n  sysct version --json",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return a.printJSON(map[string]string{"version": version, "go": runtime.Version(), "arch": runtime.GOARCH})
			}
			return a.printVersion()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
