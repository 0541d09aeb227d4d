package monitor

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/signame"
)

// The signals by which systemd is told to power off and to halt (systemd(1)).
const (
	sigPoweroff = 34 + 4 // SIGRTMIN+4
	sigHalt     = 34 + 3 // SIGRTMIN+3
)

// initFacts are what the host sees of a guest's init. None is to be trusted for
// more than the choice of a way to ask it.
type initFacts struct {
	exe    string // base name of its executable
	comm   string
	argv0  string // base name of its first argument
	caught uint64 // signals it has a handler for
	held   uint64 // signals it has blocked, to read them when it likes
	waits  bool   // it sleeps in sigtimedwait(2), whose signals don't show as blocked meanwhile
}

// listens says whether a signal would be noticed. One that is neither caught
// nor blocked is thrown away by the kernel, if init is its receiver.
func (f *initFacts) listens(sig unix.Signal) bool {
	return f.waits || (f.caught|f.held)>>(uint(sig)-1)&1 != 0
}

func (f *initFacts) is(name string) bool {
	return f.exe == name || f.comm == name
}

// way is one to have an init shut down: a signal or, if that is 0, a command
// inside the guest.
type way struct {
	signal unix.Signal
	argv   []string
}

func (a way) String() string {
	if a.signal != 0 {
		return signame.Name(a.signal) + " to init"
	}
	return "`" + strings.Join(a.argv, " ") + "` inside"
}

// waysToHalt are the ways for an init, the best first; none yet if it is about
// to set up its signals and hasn't.
func waysToHalt(f *initFacts) []way {
	switch {
	case f.is("systemd"):
		return firstHeard(f, sigPoweroff, sigHalt)
	case f.exe == "busybox" && f.argv0 == "init":
		return firstHeard(f, unix.SIGUSR2)
	case f.is("runit") || f.is("runit-init"):
		return commands("runit-init 0", "init 0", "poweroff")
	case f.is("openrc-init"):
		return commands("openrc-shutdown -p now", "poweroff")
	case f.is("s6-svscan"):
		return commands("poweroff", "/sbin/poweroff")
	case f.exe == "init":
		return commands("/sbin/shutdown -h now", "telinit 0", "poweroff")
	}
	return commands("poweroff", "/sbin/poweroff", "halt")
}

// asksByCommand says whether it is an init that has commands of its own to be
// asked by, which speak to it over a FIFO or file that it makes in its boot.
func (f *initFacts) asksByCommand() bool {
	return f.is("runit") || f.is("runit-init") || f.is("openrc-init") || f.is("s6-svscan") || f.is("init")
}

func firstHeard(f *initFacts, signals ...unix.Signal) []way {
	for _, sig := range signals {
		if f.listens(sig) {
			return []way{{signal: sig}}
		}
	}
	return nil
}

func commands(lines ...string) []way {
	var ways []way
	for _, line := range lines {
		ways = append(ways, way{argv: strings.Fields(line)})
	}
	return ways
}

// readInit looks at init from the host's side.
func readInit(pid int) (*initFacts, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return nil, fmt.Errorf("cannot look at init: %w", err)
	}
	f := parseStatus(string(status))
	if exe, err := os.Readlink(dir + "exe"); err == nil {
		f.exe = path.Base(strings.TrimSuffix(exe, " (deleted)"))
	}
	if call, err := os.ReadFile(dir + "syscall"); err == nil {
		f.waits = strings.HasPrefix(string(call), strconv.Itoa(unix.SYS_RT_SIGTIMEDWAIT)+" ")
	}
	if cmdline, err := os.ReadFile(dir + "cmdline"); err == nil {
		argv0, _, _ := strings.Cut(string(cmdline), "\x00")
		f.argv0 = path.Base(argv0)
	}
	return f, nil
}

// parseStatus reads the file of proc_pid_status(5).
func parseStatus(text string) *initFacts {
	f := &initFacts{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			f.comm = value
		case "SigBlk":
			f.held, _ = strconv.ParseUint(value, 16, 64)
		case "SigCgt":
			f.caught, _ = strconv.ParseUint(value, 16, 64)
		}
	}
	return f
}

// isSystemd says whether init is systemd, which tells by itself when it is up.
func isSystemd(pid int) bool {
	f, err := readInit(pid)
	return err == nil && f.is("systemd")
}
