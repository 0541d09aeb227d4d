// Command sysct is the command line of the system-container manager. It parses,
// calls one method of pkg/guest a verb, and prints; it decides nothing else.
package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes the command line and gives the exit status.
func run(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	app := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		if sig, ok := (<-signals).(unix.Signal); ok {
			app.signal.Store(int32(sig))
		}
		cancel()
	}()
	args = plainSignal(args)
	root := newRoot(app, args)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return app.finish(cmd, err)
}
