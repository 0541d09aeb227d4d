package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	testBase = 1_500_000
	testSize = 65_536
)

// guestMain is a guest's process: root of a user namespace, with the guest's
// root file system open at descriptor 3. Its arguments are what it does there.
func guestMain(ops []string) int {
	const root = 3
	for _, op := range ops {
		verb, name, _ := strings.Cut(op, " ")
		var err error
		switch verb {
		case "wait":
			_, err = os.Stdin.Read(make([]byte, 1))
		case "say":
			fmt.Println(name)
		case "attach":
			err = unix.MoveMount(root, "", unix.AT_FDCWD, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
		case "run": // as a user of the guest
			cmd := exec.Command(name, "powers")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
			err = cmd.Run()
		case "powers":
			header, caps := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
			err = unix.Capget(&header, &caps[0])
			fmt.Printf("uid %d capabilities %x\n", unix.Geteuid(), caps[0].Permitted)
		case "nested":
			err = nested(name)
		case "chroot":
			err = unix.Chroot(name)
		case "create":
			var fd int
			if fd, err = unix.Openat(root, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o644); err == nil {
				_, err = unix.Write(fd, []byte("of the guest\n"))
			}
		case "append":
			var fd int
			if fd, err = unix.Openat(root, name, unix.O_APPEND|unix.O_WRONLY, 0); err == nil {
				_, err = unix.Write(fd, []byte("more\n"))
			}
		case "remove":
			err = unix.Unlinkat(root, name, 0)
		case "own":
			var st unix.Stat_t
			err = unix.Fstatat(root, name, &st, unix.AT_SYMLINK_NOFOLLOW)
			fmt.Printf("%d:%d\n", st.Uid, st.Gid)
		case "chown":
			err = unix.Fchownat(root, name, 33, 33, 0)
		case "open":
			_, err = unix.Openat(root, name, unix.O_RDONLY, 0)
		default:
			err = fmt.Errorf("unknown verb %q", verb)
		}
		if err != nil {
			fmt.Println(verb, name+":", err)
		}
	}
	return 0
}

func guestCommand(base int, ops ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", ops...)
	cmd.Env = append(os.Environ(), roleVariable+"=guest")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: base, Size: testSize}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		GidMappingsEnableSetgroups: true, Credential: &syscall.Credential{},
	}
	return cmd
}

// asGuest does ops as the guest's root and returns what it printed.
func asGuest(t *testing.T, root int, ops ...string) string {
	t.Helper()
	return outputWith(t, guestCommand(testBase, ops...), root)
}

// outputWith runs a guest's process with its root at descriptor 3.
func outputWith(t *testing.T, cmd *exec.Cmd, root int) string {
	t.Helper()
	dup, err := unix.FcntlInt(uintptr(root), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	file := os.NewFile(uintptr(dup), "root")
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("the guest's process: %v\n%s", err, out.String())
	}
	return out.String()
}

// userNamespace returns a user namespace with the test's range of ids.
func userNamespace(t *testing.T) int {
	t.Helper()
	cmd := guestCommand(testBase, "wait")
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	fd, err := unix.Open("/proc/"+strconv.Itoa(cmd.Process.Pid)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	stdin.Close()
	must(t, cmd.Wait())
	return fd
}

// nested is what sysct does inside a guest, on the guest's own files.
func nested(dir string) error {
	if err := os.MkdirAll(dir+"/image/etc", 0o755); err != nil {
		return err
	}
	backend, err := Auto(dir)
	if err != nil {
		return err
	}
	fmt.Println("auto:", backend)
	l := Layout{Backend: Dir, GuestDir: dir + "/web"}
	if err := Create(context.Background(), l, dir+"/image"); err != nil {
		return err
	}
	userns, err := newUserNamespace()
	if err != nil {
		return err
	}
	_, err = OpenRoot(l, userns)
	return errors.Join(err, Destroy(l))
}
