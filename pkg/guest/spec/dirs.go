package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// The standard directories.
const (
	defaultState = "/var/lib/sysct"
	defaultRun   = "/run/sysct"
	defaultCache = "/var/cache/sysct"
	defaultLog   = "/var/log/sysct"

	defaultProfiles = "/etc/sysct/profiles"
	defaultNetworks = "/etc/sysct/networks"
)

// Dirs are the directories of one instance of sysct.
type Dirs struct{ State, Run, Cache, Log, Profiles, Networks string }

// ResolveDirs finds the directories, cleaned and absolute: each from the flag, else
// the environment (SYSCT_STATE_DIR and so on; env is os.Getenv), else the host's
// file (nil: none), else the standard one. The logs of a state directory that isn't
// the standard one are in its .log, and its run directory has its tag in the name,
// so that two instances never share either. Its profiles are in its .profiles, its
// networks in its .networks.
func ResolveDirs(flags Dirs, env func(string) string, host *Host) Dirs {
	if host == nil {
		host = DefaultHost()
	}
	dirs := Dirs{
		State: first(flags.State, env("SYSCT_STATE_DIR"), host.StateDir, defaultState),
		Cache: first(flags.Cache, env("SYSCT_CACHE_DIR"), host.CacheDir, defaultCache),
	}
	run, log, profiles, networks := defaultRun, defaultLog, defaultProfiles, defaultNetworks
	if dirs.State != absolute(defaultState) {
		run, log = defaultRun+"-"+Tag(dirs.State), filepath.Join(dirs.State, ".log")
		profiles, networks = filepath.Join(dirs.State, ".profiles"), filepath.Join(dirs.State, ".networks")
	}
	dirs.Profiles = first(flags.Profiles, env("SYSCT_PROFILES_DIR"), host.ProfilesDir, profiles)
	dirs.Networks = first(flags.Networks, env("SYSCT_NETWORKS_DIR"), host.NetworksDir, networks)
	dirs.Run = first(flags.Run, env("SYSCT_RUN_DIR"), host.RunDir, run)
	dirs.Log = first(flags.Log, env("SYSCT_LOG_DIR"), host.LogDir, log)
	return dirs
}

// first returns the first path that isn't empty, absolute and without links.
func first(paths ...string) string {
	for _, path := range paths {
		if path != "" {
			return absolute(path)
		}
	}
	return ""
}

// absolute is a path cleaned, absolute, and with the links of what exists of it
// resolved: a directory by two paths would be two instances, each of which takes
// the other's guests for stopped.
func absolute(path string) string {
	// Abs fails if the working directory is gone: a relative path then leads
	// nowhere anyway, and whoever opens it says so.
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	rest := ""
	for dir := abs; dir != "/"; dir = filepath.Dir(dir) {
		if real, err := realPath(dir); err == nil {
			return filepath.Join(real, rest)
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
	return abs
}

// realPath is what a path leads to, as the kernel names it: two system calls, where
// looking at every component takes as many as it has, for every directory of every
// verb. Without /proc the components are looked at.
func realPath(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || !filepath.IsAbs(real) {
		return filepath.EvalSymlinks(path)
	}
	return real, nil
}

// Tag tells instances apart by their state directory: "" for the standard one, else
// eight hexadecimal digits. It is part of every name on the host that two instances
// could both want.
func Tag(stateDir string) string {
	stateDir = absolute(stateDir)
	if stateDir == absolute(defaultState) {
		return ""
	}
	sum := sha256.Sum256([]byte(stateDir))
	return hex.EncodeToString(sum[:4])
}
