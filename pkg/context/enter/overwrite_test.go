package enter

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// CVE-2019-5736: a script whose interpreter is /proc/self/exe makes the kernel
// run the program that enters, in the guest, where root can open it.
func TestTheEnteringProgramCannotBeOverwritten(t *testing.T) {
	g := newGuest(t)
	g.installHelper()
	g.shell(`printf '#!/proc/self/exe\n' > /srv/evil; chmod 755 /srv/evil`)
	before := fingerprint(t)
	h := g.startHelper("overwriter")
	n := null(t)
	entries := 0
	for ; entries < 200 || entries < 10000 && h.said("opened") < 10; entries++ {
		p := &Process{Args: []string{"/srv/evil"}, Env: []string{helperEnv + "=linger"}, Files: [3]int{n, n, n}}
		if status := g.run(p); status != 0 {
			t.Fatalf("the script ended with %#x", int(status))
		}
	}
	for _, line := range h.finish("opened") {
		t.Errorf("the overwriter says: %s", line)
	}
	t.Logf("it was opened for reading %d times in %d entries", h.said("opened"), entries)
	if h.said("opened") == 0 {
		t.Error("nothing is shown")
	}
	if after := fingerprint(t); after != before {
		t.Errorf("the program was %s, and is %s", before, after)
	}
}

// fingerprint tells this program's content, owner and mode.
func fingerprint(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	var st unix.Stat_t
	must(t, unix.Stat("/proc/self/exe", &st))
	return fmt.Sprintf("%x %d:%d %o", sha256.Sum256(data), st.Uid, st.Gid, st.Mode)
}

// overwriter opens the executable of each process that comes, and tries to
// change it, then and for as long as it has it open.
func overwriter() {
	var held []int
	watch(stopped(), func(pid int) bool {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/exe", pid), unix.O_RDONLY, 0)
		if err != nil {
			return false
		}
		link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if !strings.Contains(link, "enter.test") {
			unix.Close(fd)
			return true
		}
		fmt.Println("opened")
		if held = append(held, fd); len(held) > 20 {
			unix.Close(held[0])
			held = held[1:]
		}
		for _, fd := range held {
			overwrite(fd)
		}
		return true
	})
}

// overwrite reports each way that works; none of them changes anything.
func overwrite(fd int) {
	name := fmt.Sprintf("/proc/self/fd/%d", fd)
	for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_APPEND} {
		if w, err := unix.Open(name, flags, 0); err != unix.EACCES {
			fmt.Printf("open with %#x: %v\n", flags, err)
			unix.Close(w)
		}
	}
	if err := unix.Fchmod(fd, 0o755); err != unix.EPERM {
		fmt.Println("chmod:", err)
	}
	if err := unix.Fchown(fd, 0, 0); err != unix.EPERM {
		fmt.Println("chown:", err)
	}
	if err := unix.Fsetxattr(fd, "user.x", []byte("x"), unix.XATTR_REPLACE); err != unix.EACCES && err != unix.EPERM {
		fmt.Println("setxattr:", err)
	}
}
