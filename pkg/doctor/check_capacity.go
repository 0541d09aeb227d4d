package doctor

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sysct/sysct/etc"
)

// persist is a sysctl for now and for later boots: by the file that is installed with sysct,
// where that is there and has enough.
func (h *Host) persist(key string, value int64) string {
	for _, dir := range []string{"/etc/", "/usr/local/lib/", "/usr/lib/"} {
		path := dir + etc.SysctlFile
		text, err := h.Read(path)
		if err != nil {
			continue
		}
		for _, s := range etc.Sysctls(text) {
			if s.Key == key && s.Value >= value {
				return "sysctl -p " + path
			}
		}
		break // the first one hides the others
	}
	return fmt.Sprintf("sysctl -w %s=%d && echo %s=%d >>/etc/sysctl.d/60-sysct.conf", key, value, key, value)
}

// What a guest with systemd uses about, of inotify.
const (
	guestInstances = 8
	guestWatches   = 100
)

// inotify: the kernel counts what all guests use for the user who made their
// namespaces, root of the host, beside what each has in its own.
func inotify(h *Host) []Finding {
	instances, err := h.number("/proc/sys/fs/inotify/max_user_instances")
	if err != nil {
		return unknown(err)
	}
	watches, err := h.number("/proc/sys/fs/inotify/max_user_watches")
	if err != nil {
		return unknown(err)
	}
	use := h.Inotify()
	least := ""
	if use.Partly {
		least = "at least "
	}
	var bad []Finding
	check := func(what, key string, used, most, each int64) {
		want := max(used, int64(h.Guests)*each) + 2*each
		if most >= want {
			return
		}
		f := Finding{Severity: Note, Found: fmt.Sprintf("%s%d of %d inotify %s in use; %d guests with systemd may want %d", least, used, most, what, h.Guests, int64(h.Guests)*each),
			Why: "all guests together have this many; programs fail with \"too many open files\" when they run out", Mend: h.persist(key, want*4)}
		switch {
		case used >= most:
			f.Severity = Problem
		case used*10 >= most*8:
			f.Severity = Warning
		}
		bad = append(bad, f)
	}
	check("instances", "fs.inotify.max_user_instances", use.Instances, instances, guestInstances)
	check("watches", "fs.inotify.max_user_watches", use.Watches, watches, guestWatches)
	room := max(0, min((instances-use.Instances)/guestInstances, (watches-use.Watches)/guestWatches))
	return orFine(bad, "%s%d of %d instances, %d of %d watches in use: room for some %d more running guests with systemd",
		least, use.Instances, instances, use.Watches, watches, room)
}

// keys: each user of each guest has a quota of its own, by the host's number for it.
func keys(h *Host) []Finding {
	text, err := h.Read("/proc/key-users")
	if err != nil {
		return fine("the kernel keeps no keys")
	}
	most := 0
	var bad []Finding
	for line := range strings.Lines(text) {
		uid, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(rest)
		if len(fields) < 4 {
			continue
		}
		for i, what := range []string{"keys", "bytes of keys"} {
			used, limit := fraction(fields[2+i])
			if limit > 0 {
				most = max(most, int(used*100/limit))
			}
			if limit == 0 || used*10 < limit*9 {
				continue
			}
			key := "kernel.keys.max" + strings.TrimSuffix(what, " of keys")
			if uid == "0" {
				key = "kernel.keys.root_max" + strings.TrimSuffix(what, " of keys")
			}
			bad = append(bad, Finding{Severity: Warning, Found: fmt.Sprintf("user %s has %d of %d %s", uid, used, limit, what),
				Why: "logins and services of that user fail with \"disk quota exceeded\"", Mend: h.persist(key, limit*4)})
		}
	}
	return orFine(bad, "no user has more than %d%% of its keys", most)
}

// fraction reads "used/limit".
func fraction(s string) (used, limit int64) {
	a, b, _ := strings.Cut(s, "/")
	used, _ = strconv.ParseInt(a, 10, 64)
	limit, _ = strconv.ParseInt(b, 10, 64)
	return used, limit
}

// processes: pids, threads, and what a container that this may be allows.
func processes(h *Host) []Finding {
	pidMax, err := h.number("/proc/sys/kernel/pid_max")
	if err != nil {
		return unknown(err)
	}
	threads, err := h.number("/proc/sys/kernel/threads-max")
	if err != nil {
		return unknown(err)
	}
	most, key := pidMax, "kernel.pid_max"
	if threads < most {
		most, key = threads, "kernel.threads-max"
	}
	load, err := h.Read("/proc/loadavg")
	if err != nil {
		return unknown(err)
	}
	var now int64
	if fields := strings.Fields(load); len(fields) > 3 {
		_, now = fraction(fields[3])
	}
	all := aboveLimits(h, now)
	if now*10 > most*8 {
		all = append(all, Finding{Severity: Warning, Found: fmt.Sprintf("%d of %d processes and threads are there", now, most),
			Why: "nothing can be started when they run out, on the host neither", Mend: h.persist(key, most*4)})
	}
	if h.PidsSum > most {
		all = append(all, Finding{Severity: Note, Found: fmt.Sprintf("%d running guests may have %d processes together, the host %d (%s)", h.Running, h.PidsSum, most, key),
			Why: "they can't all reach their limits at once; lower limits.pids, or raise the host's", Mend: h.persist(key, min(h.PidsSum*2, 4194304))})
	}
	return orFine(all, "%d of %d processes and threads; running guests may have %d together", now, most, h.PidsSum)
}

// aboveLimits looks at the groups that all guests' groups are in.
func aboveLimits(h *Host, now int64) []Finding {
	tree, err := h.Groups()
	if err != nil {
		return nil
	}
	var bad []Finding
	for _, dir := range []string{tree.V2, tree.V1["pids"]} {
		limit, err := h.number(dir + "/pids.max")
		if err != nil || dir == "" {
			continue // the host's own root group has none
		}
		f := Finding{Severity: Note, Found: fmt.Sprintf("all guests together may have %d processes (%s/pids.max)", limit, dir),
			Why: "what this host runs in has set it"}
		if now*10 > limit*8 {
			f.Severity, f.Mend = Warning, fmt.Sprintf("raise it where this container is configured: cat %s/pids.current", dir)
		}
		bad = append(bad, f)
	}
	return bad
}

// guestFiles is how many descriptors the holder has for a guest, about.
const guestFiles = 24

func openFiles(h *Host) []Finding {
	nr, err := h.numbers("/proc/sys/fs/file-nr")
	if err != nil || len(nr) < 3 {
		return unknown(fmt.Errorf("/proc/sys/fs/file-nr: %w", err))
	}
	var bad []Finding
	if used, most := nr[0], nr[2]; used > most/10*8 {
		bad = append(bad, Finding{Severity: Warning, Found: fmt.Sprintf("%d of %d files of the host are open", used, most),
			Why: "every program fails when they run out", Mend: h.persist("fs.file-max", most*4)})
	}
	want := uint64(h.Guests+16) * guestFiles
	if h.OpenFiles < want {
		bad = append(bad, Finding{Severity: Warning, Found: fmt.Sprintf("a process may have %d files open, with %d guests", h.OpenFiles, h.Guests),
			Why: "the holder keeps descriptors of every running guest", Mend: fmt.Sprintf("ulimit -Hn %d; then stop and start the guests", want*4)})
	}
	return orFine(bad, "%d files open on the host; %d for one process", nr[0], h.OpenFiles)
}

// lowRanges is when the end of the id ranges is near.
const lowRanges = 10

func idRanges(h *Host) []Finding {
	if h.IDs.Err != nil {
		return []Finding{{Severity: Problem, Found: h.IDs.Err.Error(), Why: "no guest can be created or started without it",
			Mend: "restore /var/lib/sysct/.host/ids.json from a backup; without one, move it away and start each guest once before you create another"}}
	}
	if h.IDs.Free >= lowRanges {
		return fine("%d in use, %d left", h.IDs.Used, h.IDs.Free)
	}
	f := Finding{Severity: Warning, Found: fmt.Sprintf("%d ranges of 65,536 ids in use, %d left", h.IDs.Used, h.IDs.Free),
		Why: "each guest has one of its own", Mend: "sysct gc"}
	switch {
	case h.Nested:
		f.Mend = nestedRanges(h)
	case h.IDs.Own:
		f.Mend = "usermod --add-subuids 1000000000-1065535999 --add-subgids 1000000000-1065535999 root"
	}
	if h.IDs.Free == 0 {
		f.Severity = Problem
	}
	return []Finding{f}
}
