// Command sysct-net makes the interfaces of one guest, and ends. A guest's monitor runs it at
// each boot, beside the rest of the launch: the monitor itself links nothing of netlink. It
// is no command for users.
//
//	monitor                       sysct-net up
//	starts it           ────────▶
//	a line: the setup   ────────▶ brings up the networks
//	"pid N"             ────────▶ makes the interfaces in that process's namespace
//	reads               ◀──────── "done", or what is wrong, and its end
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/sysct/sysct/pkg/vnet"
	publishing "github.com/sysct/sysct/pkg/vnet/publish"
)

// maxSetup bounds a setup, in bytes.
const maxSetup = 4 << 20

func main() {
	if len(os.Args) != 2 {
		usage()
	}
	if os.Args[1] == "relay" {
		if publishing.Relay(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	do, ok := map[string]func(*bufio.Reader) error{"up": up, "down": down, "change": change, "undo": undo, "mend": mend, "release": release}[os.Args[1]]
	if !ok {
		usage()
	}
	if err := do(bufio.NewReaderSize(io.LimitReader(os.Stdin, maxSetup), 64<<10)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("done")
}

func usage() {
	fmt.Fprintln(os.Stderr, "sysct-net: run by sysct, not by hand")
	os.Exit(4)
}

// readSetup reads one line.
func readSetup(in *bufio.Reader) (*vnet.Setup, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("cannot read the network's setup: %w", err)
	}
	s := &vnet.Setup{}
	if err := json.Unmarshal(line, s); err != nil {
		return nil, fmt.Errorf("cannot read the network's setup: %w", err)
	}
	return s, nil
}

// readPid reads the line that names a process in the guest's namespace.
func readPid(in *bufio.Reader) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("cannot learn of the guest's namespace: %w", err)
	}
	pid := 0
	if _, err := fmt.Sscanf(line, "pid %d\n", &pid); err != nil || pid <= 1 {
		return 0, fmt.Errorf("cannot learn of the guest's namespace: %q", line)
	}
	return pid, nil
}
