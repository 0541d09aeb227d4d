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
	FDRoot     = "root"     // detached mount: the guest's root
	FDDev      = "dev"      // detached mount: /dev
	FDSys      = "sys"      // detached mount: the host's /sys, with the host's network only
	FDJoin     = "join"     // v1 tasks files, join0, join1, …
	FDConsole  = "console"  // pty master
	FDTTY      = "tty"      // pty masters, tty1, tty2, …
	FDNotify   = "notify"   // datagram socket bound at /run/host/notify
	FDListener = "listener" // seccomp listener, if the filter has one
)

// Message is one packet. FDs names the descriptors that come with it, in order.
type Message struct {
	Version int      `json:"version"`
	Kind    string   `json:"kind"`
	FDs     []string `json:"fds,omitempty"`
	Setup   *Setup   `json:"setup,omitempty"`
	Failed  *Failed  `json:"failed,omitempty"`
}

// Setup is all that the stage needs to know.
type Setup struct {
	Hostname  string      `json:"hostname"`
	Init      [][]string  `json:"init"` // argument lists, tried in order until one exists
	Env       []string    `json:"env"`
	TTYs      int         `json:"ttys"`
	Loopback  bool        `json:"loopback"`
	Mounts    []mounts.Op `json:"mounts"`
	HostFiles []HostFile  `json:"host_files"` // below /run/host
	Caps      uint64      `json:"caps"`       // kept
	Filter    []byte      `json:"filter"`     // struct sock_filter, 8 bytes each, native order
	Listener  bool        `json:"listener"`   // load the filter with a listener and hand it over
}

// HostFile is a file, or with Dir a directory, below /run/host.
type HostFile struct {
	Name    string `json:"name"`
	Content string `json:"content,omitempty"`
	Mode    uint32 `json:"mode"`
	Dir     bool   `json:"dir,omitempty"`
}

// Failed says which step of the stage failed and how.
type Failed struct {
	Step  string `json:"step"`
	Call  string `json:"call,omitempty"`
	Path  string `json:"path,omitempty"`
	Errno int    `json:"errno,omitempty"`
	Text  string `json:"text"`
}

// Join is the name of the i-th v1 tasks file.
func Join(i int) string { return fmt.Sprintf("%s%d", FDJoin, i) }

// TTY is the name of the i-th tty's master, from 1.
func TTY(i int) string { return fmt.Sprintf("%s%d", FDTTY, i) }
