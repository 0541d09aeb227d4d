package holder

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Modes of `sysct-helper holder`.
const (
	modeServe  = "serve"  // be the holder; descriptor 3 listens
	modeEnsure = "ensure" // start a holder if none runs; for monitors
)

// listenFD is where the listening socket is passed.
const listenFD = 3

// ensureTimeout bounds a monitor's wait for a new holder.
const ensureTimeout = 10 * time.Second

// Main is `sysct-helper holder`. args are those after the word holder.
func Main(args []string, version string) int {
	mode, c, err := parseArgs(args)
	if err == nil {
		// Also what some shell has let us inherit: it must not get any further.
		err = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	}
	if err == nil {
		switch mode {
		case modeServe:
			err = serve(c, version)
		case modeEnsure:
			err = ensure(c)
		default:
			err = fmt.Errorf("cannot be a holder: unknown mode %q", mode)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sysct-helper: holder:", err)
		return 1
	}
	return 0
}

func ensure(c Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), ensureTimeout)
	defer cancel()
	client, err := Ensure(ctx, c)
	if err != nil {
		return err
	}
	return client.Close()
}
