package spec

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// hostVersion is the schema that this program reads and writes.
const hostVersion = 1

// Host is the content of sysct.toml, the configuration of the program itself. The
// directories are "" where the file says nothing: ResolveDirs knows the defaults.
type Host struct {
	// The version of this file's schema. A file of a newer one is refused.
	// Default: 1
	// Change: live
	Version int `toml:"version"`

	// The directory that holds the guests, an absolute path. Two instances of sysct
	// can be on one host if theirs differ: their runs and logs are then apart by
	// themselves. The option --state-dir and the variable SYSCT_STATE_DIR come before
	// this key.
	// Default: "/var/lib/sysct"
	// Change: live
	// Example: "/var/lib/sysct"
	StateDir string `toml:"state_dir"`

	// The directory for what a reboot of the host ends: sockets, locks, the facts of
	// running guests. The option --run-dir and the variable SYSCT_RUN_DIR come before
	// this key.
	// Default: "/run/sysct"; /run/sysct-TAG if the state directory isn't the standard one
	// Change: live
	// Example: "/run/sysct"
	RunDir string `toml:"run_dir"`

	// The directory of the images that guests are made from. The option --cache-dir
	// and the variable SYSCT_CACHE_DIR come before this key.
	// Default: "/var/cache/sysct"
	// Change: live
	// Example: "/var/cache/sysct"
	CacheDir string `toml:"cache_dir"`

	// The directory of the profiles that guests' configurations name: NAME.toml. The
	// variable SYSCT_PROFILES_DIR comes before this key.
	// Default: "/etc/sysct/profiles"; .profiles in a state directory of one's own
	// Change: live
	// Example: "/etc/sysct/profiles"
	ProfilesDir string `toml:"profiles_dir"`

	// The directory of the logs of monitors and consoles. The option --log-dir and the
	// variable SYSCT_LOG_DIR come before this key.
	// Default: "/var/log/sysct"; .log in the state directory if that isn't the standard one
	// Change: live
	// Example: "/var/log/sysct"
	LogDir string `toml:"log_dir"`

	// The directory of the networks that were made by net create: NAME.toml. The variable
	// SYSCT_NETWORKS_DIR comes before this key.
	// Default: "/etc/sysct/networks"; .networks in a state directory of one's own
	// Change: live
	// Example: "/etc/sysct/networks"
	NetworksDir string `toml:"networks_dir"`

	// What create gives a guest that asks for no network: the name of a network, or "none",
	// which is nothing but the loopback interface. The option --net of create and the
	// variable SYSCT_NETWORK come before this key.
	// Default: "sysctbr0"
	// Change: live
	Network string `toml:"network"`
}

// DefaultHost returns the configuration of a host that has no file.
func DefaultHost() *Host { return &Host{Version: hostVersion, Network: DefaultNetwork} }

// ParseHost reads the content of the file called name, as strictly as Parse does.
func ParseHost(data []byte, name string) (*Host, error) {
	host := DefaultHost()
	src := &source{file: name, data: data}
	if err := src.decode(host, HostFields(), hostVersion); err != nil {
		return nil, err
	}
	if err := src.check(host); err != nil {
		return nil, err
	}
	return host, nil
}

// LoadHost reads the file at path; a missing one is the default. It is refused if
// it is no regular file, if others than root can write to it, or as ParseHost does.
// Everything but trouble with opening it is a *ParseError.
func LoadHost(path string) (*Host, error) {
	// O_NONBLOCK for a FIFO: it is refused, but has to be opened first.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultHost(), nil
	}
	if err != nil {
		return nil, &ParseError{File: path, Msg: "cannot open: " + cause(err), Err: err}
	}
	defer file.Close()
	data, _, err := readTrusted(file, path)
	if err != nil {
		return nil, err
	}
	return ParseHost(data, path)
}

func cause(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
