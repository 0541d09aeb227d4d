package guest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// advice is what to do next, most likely first.
func (w *Why) advice(m *Manager) []string {
	var lines []string
	cfg, errConfig := m.config(w.Name)
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch {
	case w.Blocked == "":
	case cfg == nil:
		add("mend its configuration: %s", mendConfig(w.Name, m.dir(w.Name), errConfig))
	case slices.Contains(cfg.Protect, spec.ProtectStart):
		add("if it is to start after all: sysct unset %s protect", w.Name)
	default:
		add("see what it lacks: sysct doctor %s", w.Name)
	}
	switch w.Verdict {
	case VerdictFailed:
		if w.Boot != nil && w.Boot.Failure != nil {
			lines = append(lines, hookAdvice(w.Boot.Failure, w.Name)...)
			lines = append(lines, startAdvice(w.Boot.Failure, m.Rootfs(w.Name), m.dirs.State)...)
		}
		add("check the host and the guest: sysct doctor %s", w.Name)
	case VerdictEnded:
		lines = append(lines, w.exitAdvice(cfg)...)
		add("watch a start on this terminal: sysct start -F %s", w.Name)
	case VerdictDegraded:
		if w.OOMKills > 0 {
			add("give it more memory: %s", moreMemory(w.Name, cfg, w.State))
		}
		if w.PidsReached > 0 {
			add("let it have more processes: %s", morePids(w.Name, w.PidsReached))
		}
		for _, u := range w.Units {
			add("look at a unit: sysct exec %s -- systemctl status %s", w.Name, shellWord(u.Name))
			break
		}
		if len(w.Units) > 0 {
			add("start what failed again: sysct exec %s -- sh -c 'systemctl reset-failed; systemctl default'", w.Name)
		}
	case VerdictStarting:
		if w.System != "" {
			add("see what it waits for: sysct exec %s -- systemctl list-jobs", w.Name)
		}
		add("see its console: sysct console %s", w.Name)
	case VerdictKilled, VerdictUnknown:
		add("what its monitor did: sysct logs %s", w.Name)
	}
	return lines
}

// errnoAdvice is what an error number usually means for a start.
func errnoAdvice(e unix.Errno, stateDir string) string {
	switch e {
	case unix.ENOSPC:
		return "a limit of the host is reached, or a disk is full: sysctl user | grep max_; df -h " + stateDir
	case unix.EUSERS:
		return "user namespaces are nested too deeply: sysct can't run so deep inside other containers"
	case unix.EMFILE, unix.ENFILE:
		return "too many files are open: ulimit -n; sysctl fs.file-nr fs.file-max"
	case unix.EAGAIN:
		return "too many processes: sysctl kernel.pid_max kernel.threads-max"
	case unix.ENOMEM:
		return "no memory was left, of the host or within limits.memory: free -m"
	case unix.EROFS:
		return "a file system is read-only: findmnt -T " + stateDir
	case unix.EIO:
		return "a disk has errors: dmesg | tail"
	case unix.EBUSY:
		return "something is still in use: sysct gc, then start it again"
	case unix.ENOSYS:
		return "the kernel lacks a system call that is needed, or something that sysct runs in forbids it"
	case unix.EPERM:
		return "something that sysct runs in forbids it: a container, seccomp, a security module"
	}
	return ""
}

// startAdvice is for a start that failed at a step.
func startAdvice(f *state.Failure, rootfs, stateDir string) []string {
	errno := unix.Errno(f.Errno)
	if f.Step == "exec init" && f.Call == "execve" {
		if line := initAdvice(errno, f.Path, rootfs); line != "" {
			return []string{line}
		}
	}
	if strings.Contains(f.Call, "mount_setattr") && (errno == unix.EPERM || errno == unix.EINVAL) {
		return []string{"the file system can't map ids: keep the state directory on ext4, xfs, btrfs or f2fs: findmnt -T " + stateDir}
	}
	if line := errnoAdvice(errno, stateDir); errno != 0 && line != "" {
		return []string{line}
	}
	return nil
}

// hookAdvice is for a start that a hook has ended.
func hookAdvice(f *state.Failure, name string) []string {
	hook, ok := strings.CutSuffix(f.Step, " hook")
	if !ok {
		return nil
	}
	return []string{"see what the hook printed: sysct logs " + name,
		"mend " + shellWord(f.Path) + ", or do without it: sysct unset " + name + " " + hookKey(hook)}
}

// initAdvice is for an init that can't be executed.
func initAdvice(errno unix.Errno, path, rootfs string) string {
	one := !strings.Contains(path, ", ")
	file := shellWord(rootfs + path)
	switch {
	case errno == unix.ENOENT && !one:
		return "the guest has no init: install one, or name yours by the key init.cmd (sysct set): ls -l " + shellWord(rootfs+"/sbin")
	case errno == unix.ENOENT:
		return "the file isn't there, or the interpreter that it names isn't: ls -l " + file
	case errno == unix.ENOEXEC:
		return "it is no program for this machine: of another architecture, damaged, or a script without #!: file " + file
	case errno == unix.EACCES:
		return "it isn't executable, or a directory above it is closed: chmod +x " + file
	case errno == unix.ELOOP:
		return "it is a link that leads in circles: ls -l " + file
	}
	return ""
}

// exitAdvice is for an init that ran and ended.
func (w *Why) exitAdvice(cfg *spec.Guest) []string {
	b := w.Boot
	if b == nil || b.Exit == nil {
		return nil
	}
	switch e := b.Exit; {
	case e.Reason == state.ReasonOOM:
		return []string{"init itself was killed when the limit was reached, give it more: " + moreMemory(w.Name, cfg, w.State)}
	case b.OOMKills > 0:
		return []string{"give it more memory: " + moreMemory(w.Name, cfg, w.State)}
	case e.Signal == "SIGKILL":
		return []string{"somebody killed it, or the host ran out of memory: dmesg | grep -i 'out of memory'"}
	case e.Signal == "SIGILL":
		return []string{"its programs want a CPU with more instructions than this one: use an older release, or another build"}
	case e.Signal == "SIGSYS":
		return []string{"a system call was refused: the guest's own filter kills for that"}
	case e.Signal != "":
		return []string{"its init crashed: check that its files are whole, from within another system or by a new guest"}
	case e.Code != nil:
		return []string{fmt.Sprintf("an init has to stay: if init.cmd is a command, run it in a running guest instead (sysct exec %s -- …)", w.Name)}
	}
	return nil
}

// shellWord quotes a path or name that a guest or user chose, for a shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@,=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
