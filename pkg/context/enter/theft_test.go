package enter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CVE-2016-9962, 2016-8649: root in the guest stops each process that enters
// the moment it may, and then tries everything that it can to a process of its
// own.
func TestNothingCanBeStolenFromAProcessThatEnters(t *testing.T) {
	t.Setenv("CANARY", "of the host")
	g := newGuest(t)
	g.installHelper()
	h := g.startHelper("thief")
	n := null(t)
	entries := 0
	for ; entries < 300 || entries < 10000 && h.said("caught") < 10; entries++ {
		g.run(&Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}})
	}
	for _, line := range h.finish("caught") {
		t.Errorf("the thief says: %s", line)
	}
	t.Logf("%d of %d processes were stopped on their way", h.said("caught"), entries)
	if h.said("caught") == 0 {
		t.Error("nothing is shown")
	}
}

// thief is that root.
func thief() {
	runtime.LockOSThread() // ptrace is a thread's
	done := stopped()
	unproved := attempts()
	for _, name := range steal(1, func() bool { return true }) {
		delete(unproved, name)
	}
	for name := range unproved {
		fmt.Println("it can't", name, "from any process:", unproved[name](1))
	}
	watch(done, func(pid int) bool {
		err := halt(pid)
		if err == nil {
			inspect(pid)
		}
		return err != unix.ESRCH // others: a thread of this program
	})
}

// inspect tries everything on a stopped process, if it is on its way in.
func inspect(pid int) {
	defer unix.Kill(pid, unix.SIGCONT)
	if !entering(pid) {
		return
	}
	fmt.Println("caught")
	for _, name := range steal(pid, func() bool { return entering(pid) }) {
		fmt.Println("it can", name)
	}
}

// halt stops a process as soon as that is allowed: before it joined the guest's
// user namespace, EPERM is the answer.
func halt(pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	for {
		if err := unix.PidfdSendSignal(pidfd, unix.SIGSTOP, nil, 0); err != unix.EPERM {
			return err
		}
	}
}

// entering says whether a process is still a copy of the test program outside.
func entering(pid int) bool {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return bytes.Contains(data, []byte("enter.test"))
}

// attempts are the ways to get at a process, by what they get.
func attempts() map[string]func(pid int) error {
	link := func(name string) func(int) error {
		return func(pid int) error {
			_, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
			return err
		}
	}
	read := func(name string) func(int) error {
		return func(pid int) error {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
			if err == nil && len(data) == 0 {
				err = unix.ENODATA
			}
			return err
		}
	}
	open := func(name string, flags int) func(int) error {
		return func(pid int) error {
			fd, err := unix.Open(fmt.Sprintf("/proc/%d/%s", pid, name), flags, 0)
			unix.Close(fd)
			return err
		}
	}
	return map[string]func(pid int) error{
		"read the link exe": link("exe"), "read the link cwd": link("cwd"), "read the link root": link("root"),
		"read the link fd/0": link("fd/0"), "read the link ns/user": link("ns/user"),
		"open exe": open("exe", unix.O_RDONLY), "open root": open("root", unix.O_PATH), "open fd/0": open("fd/0", unix.O_PATH),
		"open mem to read": open("mem", unix.O_RDONLY), "open mem to write": open("mem", unix.O_RDWR),
		"list fd":        func(pid int) error { _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); return err },
		"list map_files": func(pid int) error { _, err := os.ReadDir(fmt.Sprintf("/proc/%d/map_files", pid)); return err },
		"read environ":   read("environ"), "read maps": read("maps"), "read auxv": read("auxv"),
		"take a descriptor": takeDescriptor,
		"read memory":       readMemory,
		"trace":             trace,
	}
}

// steal returns the names of the attempts that succeeded while still was true.
func steal(pid int, still func() bool) (got []string) {
	for name, f := range attempts() {
		if err := f(pid); err == nil && still() {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	return got
}

func takeDescriptor(pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	for fd := range 5 {
		got, e := unix.PidfdGetfd(pidfd, fd, 0)
		if e == nil {
			unix.Close(got)
			return nil
		}
		err = errors.Join(err, e)
	}
	return err
}

// readMemory reads a word that every copy of this binary has at the same place.
func readMemory(pid int) error {
	var word [8]byte
	remote := uintptr(0x400000)
	if pid == 1 {
		maps, err := os.ReadFile("/proc/1/maps")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscanf(strings.SplitN(string(maps), "-", 2)[0], "%x", &remote); err != nil {
			return err
		}
	}
	_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &word[0], Len: 8}}, []unix.RemoteIovec{{Base: remote, Len: 8}}, 0)
	return err
}

func trace(pid int) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	var status unix.WaitStatus
	_, _, _ = unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(pid), 0, 0, 0, 0)
	_, _, _ = unix.Syscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)), unix.WALL, 0, 0, 0)
	return unix.PtraceDetach(pid)
}
