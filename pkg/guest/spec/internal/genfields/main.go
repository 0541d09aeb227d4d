// Command genfields writes fields_gen.go of package spec, in whose directory it
// is run by go generate.
package main

import (
	"fmt"
	"os"

	"github.com/sysct/sysct/pkg/guest/spec/internal/fielddoc"
)

func main() {
	text, err := fielddoc.Source(".")
	if err == nil {
		err = os.WriteFile("fields_gen.go", text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "genfields:", err)
		os.Exit(1)
	}
}
