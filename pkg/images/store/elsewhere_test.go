package store

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// unshared starts `unshare -m` with further options and a script, which has
// its copies of all mounts when this returns, until the end of the test.
func unshared(t *testing.T, script string, options ...string) int {
	t.Helper()
	args := append(append([]string{"-m"}, options...), "sh", "-c", script+"; echo ready; read end")
	cmd := exec.Command("unshare", args...)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	_, err = stdout.Read(make([]byte, 16))
	must(t, err)
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// hasOverlay tells whether the process has an overlay of the guest mounted.
func hasOverlay(pid int, l Layout) bool {
	for _, m := range mountsOf(pid) {
		if m.point == l.GuestDir+"/"+rootfsName && m.fsType == "overlay" {
			return true
		}
	}
	return false
}

// privacies are the ways a mount namespace can be made in.
var privacies = map[string][]string{
	"private":         nil,
	"shared":          {"--propagation", "shared"},
	"slave":           {"--propagation", "slave"},
	"unchanged":       {"--propagation", "unchanged"},
	"in a user space": {"--map-root-user"}, // its copies are locked
}

// A copy of the mount that nobody uses blocks nothing.
func TestCopiesInOtherNamespaces(t *testing.T) {
	sameMounts(t)
	b := newBed(t, Overlay, t.TempDir())
	for name, options := range privacies {
		t.Run(name, func(t *testing.T) {
			l := b.layout("web")
			must(t, Create(context.Background(), l, b.image()))
			must(t, MountPlain(l))
			pids := []int{unshared(t, ":", options...), unshared(t, ":", options...)}
			for _, pid := range pids {
				if !hasOverlay(pid, l) {
					t.Fatalf("process %d has no copy", pid)
				}
			}
			must(t, Unmount(l))
			if inUse(t, l) {
				t.Error("the upper is in use after Unmount")
			}
			for _, pid := range pids {
				if hasOverlay(pid, l) {
					t.Errorf("process %d still has its copy", pid)
				}
			}
			// The life of a guest, with a namespace made in it.
			root, done := openRoot(t, l)
			must(t, Expose(l, root))
			unshared(t, ":", options...)
			done()
			must(t, MountPlain(l))
			unshared(t, ":", options...)
			must(t, Destroy(l))
			if exists(l.GuestDir) {
				t.Error("the guest is left")
			}
		})
	}
}

// Who is really in it there is named as here, and nothing is lost.
func TestUsersInOtherNamespaces(t *testing.T) {
	sameMounts(t)
	b := newBed(t, Overlay, t.TempDir())
	l := b.guest(t, "web")
	rootfs := l.GuestDir + "/rootfs"
	for what, script := range map[string]string{
		"cwd":  "cd " + rootfs + "/etc",
		"fd 7": "exec 7<" + rootfs + "/etc/hostname",
	} {
		t.Run(what, func(t *testing.T) {
			must(t, MountPlain(l))
			pid := unshared(t, script)
			wantHolder(t, Unmount(l), pid, what)
			wantHolder(t, second(OpenRoot(l, userNamespace(t))), pid, what)
			wantHolder(t, Destroy(l), pid, what)
			if !hasOverlay(pid, l) {
				t.Error("the copy that is in use was detached")
			}
			if !exists(l.GuestDir + "/upper") {
				t.Error("the upper is lost")
			}
		})
	}
	must(t, MountPlain(l)) // they have ended
}
