package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sysct/sysct/internal/vm/machine"
)

// machines is where machines that run have their directories: a socket's path has to be short.
const machines = "/run/sysct-vm"

// run does what the arguments say and gives the exit status.
func run(ctx context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("vm", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	release := flags.String("r", "trixie", "")
	atOnce := flags.Int("j", 0, "")
	if len(args) == 0 || flags.Parse(args[1:]) != nil {
		return 2, errMisused
	}
	rest := flags.Args()
	verbs := map[string]struct {
		least int
		do    func() (int, error)
	}{
		"run":  {1, func() (int, error) { return runOnce(ctx, *release, rest) }},
		"up":   {1, func() (int, error) { return 0, up(ctx, *release, rest[0]) }},
		"exec": {2, func() (int, error) { return execute(ctx, at(rest[0]), rest[1:]) }},
		"push": {3, func() (int, error) { return push(ctx, at(rest[0]), rest[1], rest[2]) }},
		"pull": {3, func() (int, error) { return pull(ctx, at(rest[0]), rest[1], rest[2]) }},
		"down": {1, func() (int, error) { return 0, at(rest[0]).Stop() }},
		"test": {0, func() (int, error) { return 0, test(ctx, *release, strings.Join(rest, "|"), *atOnce) }},
		"ls":   {0, func() (int, error) { return 0, list() }},
	}
	verb, ok := verbs[args[0]]
	if !ok || len(rest) < verb.least {
		return 2, errMisused
	}
	return verb.do()
}

func at(name string) *machine.Machine { return &machine.Machine{Dir: filepath.Join(machines, name)} }

// goodName is a machine's: part of a path.
var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// runOnce runs one command in a machine of its own.
func runOnce(ctx context.Context, release string, args []string) (int, error) {
	m, err := fresh(ctx, release, fmt.Sprintf("run-%d", os.Getpid()), false)
	if err != nil {
		return 1, err
	}
	status, err := execute(ctx, m, args)
	return status, errors.Join(err, m.Stop())
}

func up(ctx context.Context, release, name string) error {
	if !goodName.MatchString(name) {
		return fmt.Errorf("%q is no name for a machine", name)
	}
	if at(name).Runs() {
		return fmt.Errorf("%s runs already: vm down %s", name, name)
	}
	_, err := fresh(ctx, release, name, true)
	return err
}

// fresh starts a machine with what is built in bin.
func fresh(ctx context.Context, release, name string, stay bool) (*machine.Machine, error) {
	p, err := prepare(ctx, release, nil)
	if err != nil {
		return nil, err
	}
	defer p.remove()
	return p.load(ctx, name, stay)
}

// execute runs a command with this program's standard streams.
func execute(ctx context.Context, m *machine.Machine, args []string) (int, error) {
	if len(args) == 1 {
		args = []string{"bash", "-c", args[0]}
	}
	c := machine.Command{Args: args, Stdout: os.Stdout, Stderr: os.Stderr}
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice == 0 {
		c.Stdin = os.Stdin // a pipe or a file: what is typed isn't for the machine
	}
	return m.Run(ctx, c)
}

func push(ctx context.Context, m *machine.Machine, from, to string) (int, error) {
	f, err := os.Open(from)
	if err != nil {
		return 1, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 1, err
	}
	// What runs has its old file still: it gets another one.
	script := fmt.Sprintf(`if [ -d "$1" ]; then set -- "$1/%s"; fi && cat >"$1.new" && chmod %o "$1.new" && mv "$1.new" "$1"`, filepath.Base(from), info.Mode().Perm())
	return m.Run(ctx, machine.Command{Args: []string{"sh", "-c", script, "sh", to}, Stdin: f, Stderr: os.Stderr})
}

func pull(ctx context.Context, m *machine.Machine, from, to string) (int, error) {
	f, err := os.Create(to)
	if err != nil {
		return 1, err
	}
	status, err := m.Run(ctx, machine.Command{Args: []string{"cat", from}, Stdout: f, Stderr: os.Stderr})
	return status, errors.Join(err, f.Close())
}

func list() error {
	entries, err := os.ReadDir(machines)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if at(e.Name()).Runs() {
			fmt.Println(e.Name())
		}
	}
	return nil
}
