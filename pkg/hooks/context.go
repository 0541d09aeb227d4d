package hooks

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Context is what a hook is told.
type Context struct {
	Hook        string            `json:"hook"` // LXC's name of it
	Name        string            `json:"name"` // the guest's
	ConfigFile  string            `json:"config_file"`
	RootfsPath  string            `json:"rootfs_path"`  // where the host shows the root
	RootfsMount string            `json:"rootfs_mount"` // where this hook finds it
	ConsoleLog  string            `json:"console_log"`
	IDBase      uint32            `json:"id_base"` // the host's id of the guest's root
	IDSize      uint32            `json:"id_size"`
	Pid         int               `json:"pid,omitempty"`        // the process that becomes init, on the host: start-host
	Target      string            `json:"target,omitempty"`     // stop or reboot: what comes next; stop, post-stop
	Source      string            `json:"source,omitempty"`     // the guest that is cloned: clone
	Namespaces  map[string]string `json:"namespaces,omitempty"` // mnt, net, …: a path that can be opened; stop
}

// What a guest's end leads to.
const (
	TargetStop   = "stop"
	TargetReboot = "reboot"
)

// version is LXC's number of the way hooks are told things: 1 is by the environment alone.
const version = "1"

// Environ is the whole environment of a hook. id marks the processes that come from it,
// see [KillMarked]; "": nothing.
func (c *Context) Environ(id string) []string {
	vars := map[string]string{
		"NAME": c.Name, "CONFIG_FILE": c.ConfigFile, "ROOTFS_PATH": c.RootfsPath, "ROOTFS_MOUNT": c.RootfsMount,
		"HOOK_TYPE": c.Hook, "HOOK_SECTION": "lxc", "HOOK_VERSION": version, "LOG_LEVEL": "INFO",
		// The console is a terminal of the guest's own: it has no path on the host.
		"CONSOLE": "", "CONSOLE_LOGPATH": c.ConsoleLog, "CGNS_AWARE": "1",
	}
	if c.Pid != 0 {
		vars["PID"] = strconv.Itoa(c.Pid)
	}
	if c.Target != "" {
		vars["TARGET"] = c.Target
	}
	if c.Source != "" {
		vars["SRC_NAME"] = c.Source
	}
	for ns, path := range c.Namespaces {
		vars[strings.ToUpper(ns)+"_NS"] = path
	}
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LOGNAME=root",
		"LANG=C.UTF-8",
	}
	if id != "" {
		env = append(env, marker+"="+id)
	}
	for name, value := range vars {
		env = append(env, "LXC_"+name+"="+value, "SYSCT_"+name+"="+value)
	}
	slices.Sort(env)
	return env
}

// JSON is the same for standard input, one line.
func (c *Context) JSON() []byte {
	type wire struct {
		Version int `json:"version"`
		*Context
	}
	data, err := json.Marshal(wire{1, c})
	if err != nil {
		return []byte("{}\n") // strings and numbers alone: it can't fail
	}
	return append(data, '\n')
}
