// Command sysct-helper is what starts often and lives long: the monitor of a
// guest, the holder of an instance, and the stage that becomes a guest's init.
// It is no command for users, and is kept apart from the command line because
// all that is linked into a program is initialised before its main.
package main

import (
	"fmt"
	"os"

	"github.com/sysct/sysct/pkg/context/mend"
	"github.com/sysct/sysct/pkg/context/stage"
	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
)

// version is set by the build, -X main.version=…
var version = "devel"

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	switch os.Args[1] {
	case "monitor":
		os.Exit(monitor.Main(os.Args[2:], version))
	case "holder":
		os.Exit(holder.Main(os.Args[2:], version))
	case "check":
		os.Exit(monitor.Check(version))
	case "mend":
		os.Exit(mend.Main(os.Args[2:]))
	case "stage":
		os.Exit(stage.Main())
	}
	usage()
}

func usage() {
	fmt.Fprintln(os.Stderr, "sysct-helper: run by sysct, not by hand")
	os.Exit(4)
}
