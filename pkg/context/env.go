package context

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sysct/sysct/pkg/context/inits"
)

// initPlaces are tried in this order: one if the configuration names it.
func initPlaces(argv []string) [][]string {
	if len(argv) > 0 {
		return [][]string{argv}
	}
	var all [][]string
	for _, place := range inits.Places() {
		all = append(all, []string{place})
	}
	return all
}

// initEnv is the environment of the guest's init: the contract's variables, then
// the user's, which win except over those that say where things are. osRelease
// is the host's os-release file. Source: systemd's CONTAINER_INTERFACE.
func initEnv(s *Spec, osRelease string) []string {
	env := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/root", "USER": "root", "LOGNAME": "root", "TERM": "vt220",
	}
	for k, v := range s.Env {
		env[k] = v
	}
	env["container"] = "sysct"
	env["container_uuid"] = dashed(s.MachineID)
	env["NOTIFY_SOCKET"] = "/run/host/notify"
	if s.TTYs > 0 {
		env["container_ttys"] = ttyNames(s.TTYs)
	}
	if len(s.Credentials) > 0 {
		env["CREDENTIALS_DIRECTORY"] = "/run/host/credentials"
	}
	for k, v := range hostVars(osRelease) {
		env[k] = v
	}
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

func ttyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "pts/" + strconv.Itoa(i+1)
	}
	return strings.Join(names, " ")
}

// hostVars are the container_host_* variables from an os-release(5) text.
func hostVars(osRelease string) map[string]string {
	vars := map[string]string{}
	for _, line := range strings.Split(osRelease, "\n") {
		key, value, ok := strings.Cut(line, "=")
		switch key {
		case "ID", "VERSION_ID", "BUILD_ID", "VARIANT_ID":
			value = strings.Trim(strings.TrimSpace(value), `"'`)
			if ok && value != "" && !strings.ContainsAny(value, "\x00\n") {
				vars["container_host_"+strings.ToLower(key)] = value
			}
		}
	}
	return vars
}

// dashed is a machine id in the form of a UUID.
func dashed(id string) string {
	if len(id) != 32 {
		return id
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}
