package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// controlGroups: where what is, and what is nowhere.
func controlGroups(h *Host) []Finding {
	tree, err := h.Groups()
	if err != nil {
		return []Finding{{Severity: Problem, Found: err.Error(), Why: "every guest has a v2 group, for freezing, killing and events",
			Mend: "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"}}
	}
	text, err := h.Read(tree.V2 + "/cgroup.controllers")
	if err != nil {
		return unknown(err)
	}
	v2 := strings.Fields(text)
	v1 := slices.Sorted(maps.Keys(tree.V1))
	found := fmt.Sprintf("v2 on %s (%s)", tree.V2, orNone(v2))
	if len(v1) > 0 {
		found = fmt.Sprintf("hybrid: v2 on %s (%s), v1: %s", tree.V2, orNone(v2), strings.Join(v1, " "))
	}
	all := fine("%s", found)
	var missing []string
	for _, c := range []struct{ controller, key string }{{"memory", "limits.memory"}, {"cpu", "limits.cpu_quota"}, {"cpuset", "limits.cpuset"}, {"pids", "limits.pids"}} {
		if slices.Contains(v2, c.controller) || slices.Contains(v1, c.controller) {
			continue
		}
		if h.Nested {
			missing = append(missing, c.controller)
			continue
		}
		all = append(all, Finding{Severity: Warning, Found: "the controller " + c.controller + " is nowhere",
			Why: "a guest with " + c.key + " doesn't start", Mend: enableController(c.controller)})
	}
	all = append(all, nestedControllers(missing)...)
	for _, t := range []struct {
		trial Trial
		why   string
	}{{TryIntoGroup, "a guest is born in its group"}, {TryKill, "stop -k and destroy kill a guest by it"}, {TryFreeze, "freeze needs it"}} {
		if err := h.Try(t.trial); err != nil {
			all = append(all, Finding{Severity: Problem, Found: fmt.Sprintf("%s doesn't work: %v", t.trial, err), Why: t.why,
				Mend: mendOf(err, "use a newer kernel (uname -r), or give the container that this is a writable cgroup2 tree")})
		}
	}
	if err := h.Try(TryDevices); err != nil && h.Nested {
		all = append(all, Finding{Severity: Note, Found: "sysct runs in a guest, and can't attach device rules to a group", Why: "those of this guest hold for the guests in it"})
	} else if err != nil {
		all = append(all, Finding{Severity: Warning, Found: fmt.Sprintf("no device rules can be attached to a group: %v", err),
			Why: "a guest is kept from the host's devices by its user namespace alone", Mend: mendOf(err, "grep CONFIG_CGROUP_BPF /boot/config-$(uname -r)")})
	}
	return all
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "no controllers"
	}
	return strings.Join(words, " ")
}

func enableController(c string) string {
	if c == "memory" {
		return "add cgroup_enable=memory to the kernel's command line and reboot"
	}
	return "grep -w " + c + " /proc/cgroups"
}
