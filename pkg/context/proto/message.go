package proto

import (
	"fmt"

	"github.com/sysct/sysct/pkg/context/mounts"
)

// Version of the protocol. Both ends are the same binary except across an
// upgrade in place, so a difference is refused, not negotiated.
const Version = 1

// The kinds of messages.
const (
	KindSetup  = "setup"
	KindReady  = "ready"
	KindGo     = "go"
	KindFailed = "failed"
)

// Names of file descriptors.
const (
	FDRoot     = "root"    // detached mount: the guest's root
	FDDev      = "dev"     // detached mount: /dev
	FDSys      = "sys"     // detached mount: the host's /sys, with the host's network only
	FDJoin     = "join"    // v1 tasks files, join0, join1, …
	FDConsole  = "console" // pty master
	FDTTY      = "tty"     // pty masters, tty1, tty2, …
	FDNotify   = "notify"  // datagram socket bound at /run/host/notify
	FDHookOut  = "hookout" // pipes: what hooks print
	FDHookErr  = "hookerr"
	FDCreds    = "creds"    // detached mount: /run/host/credentials
	FDViews    = "views"    // detached mount: the files that show the guest's own figures
	FDListener = "listener" // seccomp listener, if the filter has one
)

// Message is one packet. FDs names the descriptors that come with it, in order.
type Message struct {
	Version int
	Kind    string
	FDs     []string
	Setup   *Setup
	Failed  *Failed
}

// Setup is all that the stage needs to know.
type Setup struct {
	Hostname  string
	Init      [][]string // argument lists, tried in order until one exists
	Env       []string
	TTYs      int
	Loopback  bool
	Resolv    string // the text of /etc/resolv.conf, which begins with ResolvMark; "": it isn't written
	Mounts    []mounts.Op
	HostFiles []HostFile // below /run/host
	Hooks     []Hook
	HookTime  uint64 // milliseconds that each command of a hook may take
	Place     string // where hooks find the root, a path of the host; "": there are none
	Caps      uint64 // kept
	Filter    []byte // struct sock_filter, 8 bytes each, native order
	Listener  bool   // load the filter with a listener and hand it over
	Rlimits   []Rlimit
}

// ResolvMark begins every resolv.conf that is written from outside: one without it is the
// guest's own.
const ResolvMark = "# Written by sysct at the guest's start. Without this line it is left alone.\n"

// Rlimit is a resource limit that init begins with, see getrlimit(2).
type Rlimit struct {
	Name     string // for messages
	Resource int
	Cur, Max uint64
}

// HostFile is a file, or with Dir a directory, below /run/host.
type HostFile struct {
	Name    string
	Content string
	Mode    uint32
	Dir     bool
}

// Hook is the commands of a hook that is run by the stage.
type Hook struct {
	Name     string
	Commands [][]string
	Env      []string
	Stdin    string
}

// HookStep is the step that the commands of a hook fail in.
func HookStep(name string) string { return name + " hook" }

// Failed says which step of the stage failed and how.
type Failed struct {
	Step  string
	Call  string
	Path  string
	Errno int
	Text  string
}

// Join is the name of the i-th v1 tasks file.
func Join(i int) string { return fmt.Sprintf("%s%d", FDJoin, i) }

// TTY is the name of the i-th tty's master, from 1.
func TTY(i int) string { return fmt.Sprintf("%s%d", FDTTY, i) }
