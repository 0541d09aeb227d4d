package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/sysct/sysct/internal/helperbin"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// app is what the verbs share: the standard streams, the global flags and, when
// first asked for, the manager.
type app struct {
	in, out, err *os.File
	dirs         spec.Dirs
	hostConfig   string
	quiet        bool
	mgr          *guest.Manager
	signal       atomic.Int32 // the signal that ended the verb
	ran          bool         // the verb was reached: before, all errors are of usage
}

// interrupted is the signal that ended the verb, 0 if none did.
func (a *app) interrupted() unix.Signal { return unix.Signal(a.signal.Load()) }

// hostConfigPath is the host's configuration, and templateDir where its
// administrator overrides templates.
const (
	hostConfigPath = "/etc/sysct/sysct.toml"
	templateDir    = "/etc/sysct/templates"
)

// manager opens the instance that flags, environment and host configuration name.
func (a *app) manager() (*guest.Manager, error) {
	if a.mgr != nil {
		return a.mgr, nil
	}
	if os.Geteuid() != 0 {
		return nil, errNotRoot
	}
	host, err := a.loadHost()
	if err != nil {
		return nil, err
	}
	dirs := spec.ResolveDirs(a.dirs, os.Getenv, host)
	helper, err := helperbin.Extract(filepath.Join(dirs.Cache, "lib"), helperbin.Helper)
	if err != nil && !errors.Is(err, helperbin.ErrNone) {
		return nil, err
	}
	net, err := helperbin.Extract(filepath.Join(dirs.Cache, "lib"), helperbin.Net)
	if err != nil && !errors.Is(err, helperbin.ErrNone) {
		return nil, err
	}
	a.mgr, err = guest.Open(guest.Options{
		Dirs: dirs, Helper: helper, NetProgram: net, TemplateDirs: []string{templateDir},
		Network:  cmp.Or(os.Getenv("SYSCT_NETWORK"), host.Network),
		Warn:     a.warn,
		Progress: a.progress(),
	})
	return a.mgr, err
}

// warn prints a warning; its further lines, if it has any, are the hints.
func (a *app) warn(text string) {
	line, rest, _ := strings.Cut(text, "\n")
	fmt.Fprintf(a.err, "sysct: warning: %s\n", escape(line))
	for hint := range strings.Lines(rest) {
		fmt.Fprintln(a.err, escape(strings.TrimRight(hint, "\n")))
	}
}

// loadHost reads the host's configuration. The one that is asked for has to be there.
func (a *app) loadHost() (*spec.Host, error) {
	path := a.hostConfig
	if path == "" {
		path = hostConfigPath
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, invalid("--host-config: there is no %s", escape(path))
	}
	host, err := spec.LoadHost(path)
	return host, usage(err)
}

// progress is where long verbs say what they do: a terminal. Elsewhere only what takes
// so long is said, in one line.
func (a *app) progress() io.Writer {
	switch {
	case a.quiet:
		return nil
	case term.IsTerminal(int(a.err.Fd())):
		return a.err
	}
	return &firstLine{to: a.err}
}

// firstLine passes on the first line that is written to it.
type firstLine struct {
	to   io.Writer
	full bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	line, _, ended := bytes.Cut(p, []byte("\n"))
	if !f.full {
		f.full = ended
		if _, err := f.to.Write(p[:min(len(p), len(line)+1)]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format, args...)
	return err
}

// printJSON prints one value, indented.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
