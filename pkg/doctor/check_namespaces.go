package doctor

import (
	"fmt"
	"strings"
)

// namespaces: a guest has one of each.
func namespaces(h *Host) []Finding {
	var bad []Finding
	var good []string
	for _, t := range []Trial{TryUser, TryMount, TryPid, TryUTS, TryIPC, TryNet, TryCgroup, TryTime} {
		err := h.Try(t)
		kind := strings.TrimSuffix(string(t), " namespace")
		if err == nil {
			good = append(good, kind)
			continue
		}
		f := Finding{Severity: Problem, Found: fmt.Sprintf("no %s can be made: %v", t, err),
			Why: "every guest has one", Mend: "sysctl user.max_" + limitName(kind) + "_namespaces; zgrep -E 'CONFIG_(USER|PID|NET|TIME|UTS|IPC)_NS' /proc/config.gz"}
		if t == TryUser {
			f.Mend = "sysctl -w user.max_user_namespaces=65536"
		}
		f.Mend = mendOf(err, f.Mend)
		bad = append(bad, f)
	}
	return orFine(bad, "%s", strings.Join(good, " "))
}

func limitName(kind string) string {
	if kind == "mount" {
		return "mnt"
	}
	return kind
}

// spareNamespaces is how many more of a kind than guests there should be: guests
// make some themselves, for their services.
const spareNamespaces = 32

// namespaceLimits: all that guests have, nested ones too, counts for root of the host.
func namespaceLimits(h *Host) []Finding {
	var bad []Finding
	least := int64(-1)
	for _, kind := range []string{"user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time"} {
		path := "/proc/sys/user/max_" + kind + "_namespaces"
		most, err := h.number(path)
		if err != nil {
			return unknown(err)
		}
		if least < 0 || most < least {
			least = most
		}
		want := int64(h.Guests+1) * spareNamespaces
		if most >= want {
			continue
		}
		f := Finding{Severity: Warning, Found: fmt.Sprintf("at most %d %s namespaces, for %d guests", most, kind, h.Guests),
			Why:  "a start, and a service with PrivateTmp= or the like, fails with ENOSPC when they run out",
			Mend: fmt.Sprintf("sysctl -w user.max_%s_namespaces=%d", kind, max(want*2, 4096))}
		if most <= int64(h.Guests) {
			f.Severity = Problem
		}
		bad = append(bad, f)
	}
	return orFine(bad, "%d or more of each kind", least)
}
