package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// insideVar tells the program that it is in its own mount namespace already.
const insideVar = "SYSCT_BENCH_INSIDE"

// options are what the command line says.
type options struct {
	runs  int
	rows  string
	list  bool
	sysct string
	cache string
	dir   string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == readerWord {
		if err := readerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == talkWord {
		fmt.Fprintln(os.Stderr, "bench:", talkMain())
		os.Exit(1)
	}
	var o options
	flag.IntVar(&o.runs, "n", 20, "runs of each row; long rows have fewer")
	flag.StringVar(&o.rows, "rows", "", "only these rows, separated by commas; a word stands for all rows that begin with it")
	flag.BoolVar(&o.list, "list", false, "list the rows")
	flag.StringVar(&o.sysct, "sysct", "bin/sysct", "the program")
	flag.StringVar(&o.cache, "cache", "/var/cache/sysct-test", "directory with the images of templates, kept")
	flag.StringVar(&o.dir, "dir", "/var/tmp/sysct-bench", "directory to work in, removed at the end")
	flag.Parse()
	if o.list {
		for _, r := range rows() {
			fmt.Printf("%-16s %s, %s\n", r.key, r.title, r.unit)
		}
		return
	}
	if err := start(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func start(o options) error {
	if os.Getuid() != 0 {
		return errors.New("only root can run guests")
	}
	chosen, err := choose(rows(), o.rows)
	if err != nil {
		return err
	}
	if os.Getenv(insideVar) == "" {
		if err := prepareImages(o.cache); err != nil {
			return err
		}
		return inside()
	}
	if err := errors.Join(space.LoopbackUp(), nettest.MountSys()); err != nil { // LXC asks /sys what is a bridge
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	b, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	return b.run(chosen)
}

// inside runs this program again in private mount and network namespaces: lxcfs can then
// be mounted where LXC's hook looks for it, bridges be made, and nothing of it is seen by
// the host.
func inside() error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideVar+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	// Those signals are the inner program's to answer: it has to clean up.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot make namespaces: %w", err)
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		os.Exit(max(exit.ExitCode(), 1))
	} else if err != nil {
		return err
	}
	return nil
}

// choose gives the rows whose keys begin with one of the words.
func choose(all []row, words string) ([]row, error) {
	if words == "" {
		return all, nil
	}
	var chosen []row
	used := map[string]bool{}
	for _, r := range all {
		for word := range strings.SplitSeq(words, ",") {
			if r.key == word || strings.HasPrefix(r.key, word+"-") {
				chosen, used[word] = append(chosen, r), true
				break
			}
		}
	}
	for word := range strings.SplitSeq(words, ",") {
		if !used[word] {
			return nil, fmt.Errorf("no row is called %q: bench -list shows them", word)
		}
	}
	return chosen, nil
}
