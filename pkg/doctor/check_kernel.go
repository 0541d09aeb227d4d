package doctor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelFeatures: what there is no way around is a problem.
func kernelFeatures(h *Host) []Finding {
	var all []Finding
	var good []string
	for _, c := range []struct {
		trial Trial
		none  Severity
		why   string
	}{
		{TryMountAPI, Problem, "a guest's root is mounted by it"},
		{TryOpenat2, Problem, "paths in a guest's tree are looked up by it"},
		{TryPidfd, Warning, "descriptors of a guest's processes can't be fetched"},
		{TryPidInfo, Note, "how a guest ended whose monitor and holder had died isn't known"},
	} {
		err := h.Try(c.trial)
		if errors.Is(err, errUntried) {
			continue
		}
		if err != nil {
			f := Finding{Severity: c.none, Found: fmt.Sprintf("no %s: %v", c.trial, err), Why: c.why}
			if c.none != Note {
				f.Mend = mendOf(err, "use a newer kernel: uname -r")
			}
			all = append(all, f)
			continue
		}
		good = append(good, string(c.trial))
	}
	if len(good) > 0 {
		all = append(all, Fine("%s", strings.Join(good, ", ")))
	}
	return all
}

// mendOf is the usual mend, unless it is a privilege that is lacking.
func mendOf(err error, usual string) string {
	if errors.Is(err, unix.EPERM) {
		return "run sysct as root of the host itself: not in a user namespace, nor in a container that forbids it"
	}
	return usual
}

// needed are the capabilities that sysct can't do without.
func needed() map[string]uint {
	return map[string]uint{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH,
		"CAP_FOWNER": unix.CAP_FOWNER, "CAP_KILL": unix.CAP_KILL, "CAP_SETGID": unix.CAP_SETGID, "CAP_SETUID": unix.CAP_SETUID,
		"CAP_SETPCAP": unix.CAP_SETPCAP, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_SYS_CHROOT": unix.CAP_SYS_CHROOT,
		"CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_MKNOD": unix.CAP_MKNOD,
	}
}

// capabilities: root of a container may lack some.
func capabilities(h *Host) []Finding {
	text, err := h.Read("/proc/self/status")
	if err != nil {
		return unknown(err)
	}
	_, after, _ := strings.Cut(text, "\nCapEff:")
	word, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
	set, err := strconv.ParseUint(word, 16, 64)
	if err != nil {
		return unknown(err)
	}
	var missing []string
	for name, bit := range needed() {
		if set&(1<<bit) == 0 {
			missing = append(missing, name)
		}
	}
	var all []Finding
	if len(missing) > 0 {
		all = append(all, Finding{Severity: Problem, Found: "root lacks " + sorted(missing), Why: "guests can't be made without them",
			Mend: "run sysct on the host itself, or grant them where its container is configured"})
	}
	if set&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		all = append(all, Finding{Severity: Note, Found: "root lacks CAP_SYS_RESOURCE",
			Why: "if the host runs out of memory, its killer may choose a guest's monitor; it is replaced and the guest goes on"})
	}
	return orFine(all, "all that are needed, and CAP_SYS_RESOURCE")
}

// seccomp: the filter, and what no filter can see.
func seccomp(h *Host) []Finding {
	if err := h.Try(TrySeccomp); err != nil {
		return []Finding{{Severity: Problem, Found: fmt.Sprintf("no filter can be set: %v", err), Why: "every guest has one",
			Mend: "grep CONFIG_SECCOMP_FILTER /boot/config-$(uname -r)"}}
	}
	all := fine("filters work")
	if h.Arch == "amd64" {
		all = append(all, Finding{Severity: Note, Found: "32-bit programs of a guest may use socketcall(2)",
			Why: "a filter can't see its arguments, so they reach the families AF_ALG and AF_VSOCK where the kernel has them; lsmod | grep -E 'af_alg|vsock' tells"})
	}
	return all
}

// securityModules are there or not; sysct makes no profile of its own.
func securityModules(h *Host) []Finding {
	if on, err := h.Read("/sys/fs/selinux/enforce"); err == nil && on == "1" {
		return []Finding{{Severity: Note, Found: "SELinux enforces",
			Why: "a guest runs in the domain of who started it; denials are in the audit log: ausearch -m avc"}}
	}
	if on, err := h.Read("/sys/module/apparmor/parameters/enabled"); err == nil && on == "Y" {
		return fine("AppArmor is on; guests have no profile of their own")
	}
	return fine("neither AppArmor nor SELinux is on")
}
