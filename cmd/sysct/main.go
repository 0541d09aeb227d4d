// Command sysct is the command line of the system-container manager. It parses,
// calls one method of pkg/guest a verb, and prints; it decides nothing else.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes the command line and gives the exit status.
func run(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	app := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	args = plainSignal(args)
	if isCareful(args) {
		app.heedSignals(cancel)
	} else {
		defer time.AfterFunc(unheeded, func() { app.heedSignals(cancel) }).Stop()
	}
	root := newRoot(app, args)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return app.finish(cmd, err)
}

// unheeded is how long a signal ends a verb as it ends any program. To catch signals
// takes the runtime three threads, which cost a verb of two milliseconds a tenth of its
// time, and the verbs that isCareful leaves out have nothing to take back by then.
const unheeded = 20 * time.Millisecond

// isCareful says whether the arguments name a verb that makes or removes something in
// steps, or passes signals on: it catches them from its beginning. What names no verb,
// as flags before it, counts as careful.
func isCareful(args []string) bool {
	hasty := []string{"start", "stop", "restart", "kill", "freeze", "thaw", "wait", "ls", "info", "get", "logs", "version"}
	found := wanted(verbs(), args)
	return len(found) != 1 || !slices.Contains(hasty, strings.Fields(found[0].names)[0])
}

// heedSignals has a signal end the verb, which says so and cleans up.
func (a *app) heedSignals(cancel func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		if sig, ok := (<-signals).(unix.Signal); ok {
			a.signal.Store(int32(sig))
		}
		cancel()
	}()
}
