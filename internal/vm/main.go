// Vm runs Debian machines with systemd under emulation, for tests and for trying things: see usage. It works from the top of the
// source tree, as root.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: vm VERB [-r RELEASE] ...
  run CMD             run a shell command in a fresh machine, with what is built in bin/, and end with its status
  up NAME             start a machine that stays; it has what is built in bin/ now
  exec NAME CMD       run a shell command in it (CMD of several words: a program and its arguments)
  push NAME FILE DEST copy a file into it
  pull NAME FILE DEST copy a file out of it
  down NAME           end it; nothing of it is kept
  ls                  list the machines
  test [-j N] [RE]    run the tests whose names match, N machines at a time (else as many
                      as there is memory for, one a processor), and print a table
RELEASE is trixie, bookworm or forky.
`

// errMisused says that the arguments make no sense.
var errMisused = errors.New("misused")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	status, err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, errMisused) {
		fmt.Fprint(os.Stderr, usage)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		if status == 0 {
			status = 1
		}
	}
	os.Exit(status)
}
