package guest_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// sitter starts a shell of the host that runs until the end of the test, or
// until it is told to go.
func sitter(t *testing.T, args ...string) (leave func()) {
	t.Helper()
	cmd := exec.Command(args[0], append(args[1:], "sh", "-c", "echo ready; read end")...)
	return sits(t, cmd)
}

func sits(t *testing.T, cmd *exec.Cmd) (leave func()) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout.Read(make([]byte, 16))
	gone := false
	leave = func() {
		if !gone {
			stdin.Close()
			cmd.Wait()
		}
		gone = true
	}
	t.Cleanup(leave)
	return leave
}

// sitIn is a shell with its working directory in the guest's tree.
func (in *instance) sitIn(name string) (leave func()) {
	in.t.Helper()
	cmd := exec.Command("sh", "-c", "echo ready; read end")
	cmd.Dir = in.Rootfs(name) + "/etc"
	return sits(in.t, cmd)
}

// An administrator's shell in rootfs/ doesn't end a guest that reboots.
func TestRebootWithSomebodyInRootfs(t *testing.T) {
	for _, backend := range []string{"dir", "overlay"} {
		t.Run(backend, func(t *testing.T) {
			in := newInstance(t)
			in.create("tiny", "busybox", backend)
			in.start("tiny")
			in.ready("tiny")
			in.run("tiny", "sh", "-c", "echo kept >/root/file; cp /bin/busybox /root/suid; chmod 4755 /root/suid")
			leave := in.sitIn("tiny")
			for boots := 2; boots <= 3; boots++ {
				in.run("tiny", "reboot")
				eventually(t, "it has booted again", func() error {
					if info := in.info("tiny"); info.Boots == nil || *info.Boots != boots || info.State != state.Running {
						return fmt.Errorf("%+v", info)
					}
					return nil
				})
				in.ready("tiny")
				if out, _ := in.run("tiny", "sh", "-c", "cat /root/file; grep ' / ' /proc/mounts"); !strings.HasPrefix(out, "kept\n") || strings.Contains(out, "nosuid") {
					t.Errorf("after boot %d: %q", boots, out)
				}
			}
			// The end of its life is one, though what is shown can't be unmounted yet.
			if err := in.Stop(context.Background(), "tiny", clean()); err != nil {
				t.Errorf("stop: %v", err)
			}
			in.start("tiny") // on the root that is still shown
			in.ready("tiny")
			if err := in.Destroy(context.Background(), "tiny", guest.DestroyOptions{Force: true}); err == nil || !strings.Contains(err.Error(), "cwd") {
				t.Errorf("destroy with somebody in rootfs: %v", err)
			}
			leave()
			in.start("tiny")
			if out, _ := in.run("tiny", "cat", "/root/file"); out != "kept\n" {
				t.Errorf("the file has %q", out)
			}
			if err := in.Stop(context.Background(), "tiny", guest.StopOptions{Kill: true}); err != nil {
				t.Errorf("stop: %v", err)
			}
			var st unix.Stat_t
			if err := unix.Stat(in.Rootfs("tiny")+"/root/file", &st); err != nil || st.Uid != 0 {
				t.Errorf("the guest's file, stopped: uid %d, %v", st.Uid, err)
			}
		})
	}
}

// Another's mount namespace with a copy of all mounts is in nobody's way.
func TestMountNamespacesOfOthers(t *testing.T) {
	ctx := context.Background()
	for _, propagation := range []string{"private", "shared"} {
		t.Run(propagation, func(t *testing.T) {
			in := newInstance(t)
			in.create("tiny", "busybox", "overlay")
			unshare := func() { sitter(t, "unshare", "-m", "--propagation", propagation) }
			unshare()
			in.start("tiny")
			in.ready("tiny")
			unshare()
			in.run("tiny", "reboot")
			eventually(t, "it has booted again", func() error {
				if info := in.info("tiny"); info.Boots == nil || *info.Boots != 2 || info.State != state.Running {
					return fmt.Errorf("%+v", info)
				}
				return nil
			})
			in.ready("tiny")
			unshare()
			if err := in.Stop(ctx, "tiny", clean()); err != nil {
				t.Fatalf("stop: %v", err)
			}
			var st unix.Stat_t
			if err := unix.Stat(in.Rootfs("tiny")+"/etc", &st); err != nil || st.Uid != 0 {
				t.Errorf("the guest's tree, stopped: uid %d, %v", st.Uid, err)
			}
			unshare()
			in.start("tiny")
			unshare()
			if err := in.Destroy(ctx, "tiny", guest.DestroyOptions{Force: true}); err != nil {
				t.Errorf("destroy: %v", err)
			}
		})
	}
}
