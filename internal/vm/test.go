package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sysct/sysct/internal/vm/machine"
)

// job is what one machine is loaded for.
type job struct {
	name   string // a file name
	target target
	tests  string // for the test program's -test.run
}

// result is how it went.
type result struct {
	job
	took time.Duration
	used time.Duration // of the host's processors
	err  error
}

// usual is the pattern of what make test runs: all cases but the long ones.
const usual = "usual|."

// results is where logs, journals and consoles are left.
const results = "bin/vm-results"

// test runs the tests whose names match, and prints a table, which is also left with the logs.
func test(ctx context.Context, release, pattern string, atOnce int) error {
	chosen, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	if atOnce == 0 {
		atOnce = room()
	}
	begin := time.Now()
	p, err := prepare(ctx, release, wanted(chosen))
	if err != nil {
		return err
	}
	defer p.remove()
	jobs, err := p.jobs(chosen)
	if err != nil || len(jobs) == 0 {
		return errors.Join(err, fmt.Errorf("%d tests match %q", len(jobs), pattern))
	}
	if err := errors.Join(os.RemoveAll(results), os.MkdirAll(results, 0o755)); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(results, "table"))
	if err != nil {
		return err
	}
	defer file.Close()
	out := io.MultiWriter(os.Stdout, file)
	fmt.Fprintf(out, "machines of %s, %d at a time, ready after %.0f s; logs in %s\n", release, atOnce, time.Since(begin).Seconds(), results)
	failed := table(out, p.work(ctx, jobs, atOnce))
	fmt.Fprintf(out, "%d of %d failed, %.0f s\n", failed, len(jobs), time.Since(begin).Seconds())
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(jobs))
	}
	return nil
}

// table prints the results as they come, and gives how many failed.
func table(out io.Writer, all <-chan result) (failed int) {
	for r := range all {
		word := "ok"
		if r.err != nil {
			word = "FAIL"
			failed++
		}
		fmt.Fprintf(out, "%-5s %-40s %6.1f s %6.1f s of CPU\n", word, r.name, r.took.Seconds(), r.used.Seconds())
		if r.err != nil {
			fmt.Fprintf(out, "      %s\n", strings.ReplaceAll(r.err.Error(), "\n", "\n      "))
		}
	}
	return failed
}

// room gives how many machines the host can run at a time: each has two processors, of which it seldom needs more than one, and 2 GiB.
func room() int {
	text, _ := os.ReadFile("/proc/meminfo") // without it there is one
	var available int                       // KiB
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "MemAvailable: %d", &available); err == nil {
			break
		}
	}
	return max(1, min(runtime.NumCPU(), available>>20/3))
}

// wanted gives the targets that have to be built for the tests that match.
func wanted(chosen *regexp.Regexp) []target {
	return slices.DeleteFunc(targets(), func(t target) bool { return !t.Each && !chosen.MatchString(t.name()) })
}

// jobs makes the list of what machines are loaded for.
func (p *prepared) jobs(chosen *regexp.Regexp) ([]job, error) {
	var all []job
	for _, t := range wanted(chosen) {
		if !t.Each {
			all = append(all, job{name: t.name(), target: t, tests: t.Tests})
			continue
		}
		out, err := exec.Command(filepath.Join(p.dir, "tree/tests", t.Package, t.program()), "-test.list", ".").Output()
		if err != nil {
			return nil, fmt.Errorf("cannot list the tests of %s: %w", t.Package, err)
		}
		for _, test := range strings.Fields(string(out)) {
			if chosen.MatchString(test) && (chosen.String() != usual || !slices.Contains(long(), test)) {
				all = append(all, job{name: test, target: t, tests: "^" + test + "$"})
			}
		}
	}
	return all, nil
}

// work does the jobs, some at a time, and gives the results as they come.
func (p *prepared) work(ctx context.Context, jobs []job, atOnce int) <-chan result {
	todo := make(chan job)
	done := make(chan result)
	go func() {
		defer close(todo)
		for _, j := range jobs {
			todo <- j
		}
	}()
	var workers sync.WaitGroup
	for i := range atOnce {
		workers.Go(func() {
			for j := range todo {
				begin := time.Now()
				used, err := p.do(ctx, j, fmt.Sprintf("test-%d-%d", os.Getpid(), i))
				done <- result{job: j, took: time.Since(begin), used: used, err: err}
			}
		})
	}
	go func() { workers.Wait(); close(done) }()
	return done
}

// do does one job in a machine, and gives the time of the host's processors that it took.
func (p *prepared) do(ctx context.Context, j job, name string) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	m, err := p.load(ctx, name, false)
	if err != nil {
		return 0, err
	}
	err = j.doIn(ctx, m)
	if stopped := m.Stop(); stopped != nil {
		return 0, errors.Join(err, stopped)
	}
	return m.Used(), err
}

// doIn does the job in a machine and leaves its log, and what may tell why it failed.
func (j job) doIn(ctx context.Context, m *machine.Machine) error {
	log, err := os.Create(filepath.Join(results, j.name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	if err = j.run(ctx, m, log); err != nil {
		err = errors.Join(err, j.evidence(m), j.end())
	}
	return err
}

// longest is what a job may take. It is for one that hangs.
const longest = 90 * time.Minute

// run runs the test program, and once more for each reboot that it asks for.
func (j job) run(ctx context.Context, m *machine.Machine, log *os.File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("it takes longer than %v", longest))
	defer cancel()
	dir := filepath.Join("/programs/tests", j.target.Package)
	args := []string{dir + "/" + j.target.program(), "-test.v", "-test.timeout=80m", "-test.run=" + j.tests, "-test.skip=" + j.target.Skip}
	for boot := 0; ; boot++ {
		status, err := m.Run(ctx, machine.Command{
			Args: args, Dir: dir, Stdout: log, Stderr: log,
			Env: []string{fmt.Sprintf("VM_BOOT=%d", boot), "SYSCT_TEST_PROGRAMS=/programs/programs", "TMPDIR=/var/tmp" /* has device nodes */},
		})
		if err != nil {
			return err
		}
		if status != 0 {
			return fmt.Errorf("status %d", status)
		}
		asked, err := m.Output(ctx, "sh", "-c", "cat /run/vm-case 2>/dev/null || :")
		if err != nil || asked == "" {
			return err
		}
		fmt.Fprintf(log, "=== the machine's %s\n", asked)
		if err := m.Reboot(ctx, asked == "reset"); err != nil {
			return err
		}
	}
}

// evidence takes out of the machine what may tell why a job failed.
func (j job) evidence(m *machine.Machine) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	console, _ := os.ReadFile(m.Console())
	err := os.WriteFile(filepath.Join(results, j.name+".console"), console, 0o644)
	journal, jerr := os.Create(filepath.Join(results, j.name+".journal"))
	if jerr != nil {
		return errors.Join(err, jerr)
	}
	defer journal.Close()
	_, rerr := m.Run(ctx, machine.Command{Args: []string{"journalctl", "--no-pager", "-o", "short-precise"}, Stdout: journal, Stderr: journal})
	return errors.Join(err, rerr)
}

// end gives the last lines of the job's log, as an error.
func (j job) end() error {
	text, err := os.ReadFile(filepath.Join(results, j.name+".log"))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return errors.New(strings.Join(lines[max(0, len(lines)-20):], "\n"))
}
