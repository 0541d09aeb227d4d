package holder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/pkg/guest/control"
)

// Names in the run directory of an instance.
const (
	SocketName = control.HolderSocketName // requests
	notifyName = "notify.sock"            // what monitors leave
	lockName   = "holder.lock"            // held by who starts a holder, and by one that ends
	logName    = "holder.log"             // in the log directory
)

// Config is what tells one instance's holder from another's. Paths are
// absolute.
type Config struct {
	RunDir string // made, 0700, by the caller
	LogDir string // made by the caller; empty: no log
	Base   string // name of the instance's control groups, as "sysct"; empty: no group
	Helper string // program that is the holder and the monitors
	// Watchdog is within what time a monitor has to give a sign of life, or is killed
	// and started again; 0: DefaultWatchdog.
	Watchdog time.Duration
}

// DefaultWatchdog is long for a monitor on a host under load, which is only late, and
// short for one that somebody waits for.
const DefaultWatchdog = 20 * time.Second

// check refuses what would be understood differently after a change of
// directory.
func (c Config) check() error {
	for _, path := range []string{c.RunDir, c.Helper} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("cannot use %q for the holder: not an absolute path", path)
		}
	}
	if c.LogDir != "" && !filepath.IsAbs(c.LogDir) {
		return fmt.Errorf("cannot use %q for the holder: not an absolute path", c.LogDir)
	}
	if strings.ContainsAny(c.Base, "/\x00") || c.Base == "." || c.Base == ".." {
		return fmt.Errorf("cannot use %q as name of a control group", c.Base)
	}
	return nil
}

// args is the command line that carries a Config to the helper.
func (c Config) args(mode string) []string {
	return []string{"sysct-helper", "holder", mode, c.RunDir, c.LogDir, c.Base, c.Helper, c.Watchdog.String()}
}

// parseArgs is the inverse of args, from the mode on.
func parseArgs(args []string) (string, Config, error) {
	// The last is missing where a monitor was told by a program of before.
	if len(args) != 5 && len(args) != 6 {
		return "", Config{}, fmt.Errorf("cannot read arguments of the holder: %d instead of 6", len(args))
	}
	c := Config{RunDir: args[1], LogDir: args[2], Base: args[3], Helper: args[4]}
	if len(args) == 6 {
		var err error
		if c.Watchdog, err = time.ParseDuration(args[5]); err != nil {
			return "", Config{}, fmt.Errorf("cannot read arguments of the holder: %w", err)
		}
	}
	return args[0], c, c.check()
}

// environment is what the holder and the monitors get: nothing of the
// caller's but the program's own variables.
func environment() []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8",
	}
	env = append(env, epoll.RuntimeEnv()...)
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "SYSCT_MANAGER=") {
			continue // of another holder's making
		}
		if strings.HasPrefix(kv, "SYSCT_") || strings.HasPrefix(kv, "GOCOVERDIR=") {
			env = append(env, kv)
		}
	}
	return env
}
