package enter

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/safefs"
	"golang.org/x/sys/unix"
)

// root opens the guest's root for the time of the test.
func (g *guest) root() *safefs.Root {
	g.t.Helper()
	root, err := GuestRoot(g.target.PidFD)
	must(g.t, err)
	g.t.Cleanup(func() { root.Close() })
	return root
}

func TestGuestRootIsTheGuests(t *testing.T) {
	g := newGuest(t)
	data, err := g.root().ReadFile("/srv/inside", 10)
	if string(data) != "yes\n" || err != nil {
		t.Errorf("/srv/inside is %q, %v", data, err)
	}
	if _, err := os.Stat("/srv/inside"); err == nil {
		t.Error("it is on the host too")
	}
	if _, err := GuestRoot(null(t)); err == nil {
		t.Error("a descriptor of a file is taken for a pidfd")
	}
}

// CVE-2016-10124: the guest's terminal is one of the guest.
func TestTerminal(t *testing.T) {
	g := newGuest(t)
	master, slave, err := OpenPTY(g.root(), idBase+1000, idBase+5)
	must(t, err)
	defer master.Close()
	var st unix.Stat_t
	must(t, unix.Fstat(int(slave.Fd()), &st))
	if st.Uid != idBase+1000 || st.Gid != idBase+5 || st.Mode != unix.S_IFCHR|0o620 {
		t.Errorf("the slave belongs to %d:%d with mode %o", st.Uid, st.Gid, st.Mode)
	}
	fd := int(slave.Fd())
	g.start(&Process{
		Args: []string{"sh", "-c", "tty; stat -c '%u %g %a' /dev/pts/0; ps -o tty=,sid=,pgid=,tpgid= -p $$; echo $$; echo through tty > /dev/tty"},
		UID:  1000, GID: 1000, Files: [3]int{fd, fd, fd}, TTY: true,
	})
	slave.Close()
	lines := terminalLines(master)
	if len(lines) != 5 {
		t.Fatalf("the terminal shows %q", lines)
	}
	pid := lines[3]
	want := fmt.Sprintf("pts/0 %s %s %s", pid, pid, pid)
	if lines[0] != "/dev/pts/0" || lines[1] != "1000 5 620" || strings.Join(strings.Fields(lines[2]), " ") != want || lines[4] != "through tty" {
		t.Errorf("the terminal shows %q", lines)
	}
}

// terminalLines reads until the last slave is closed, which is EIO.
func terminalLines(master io.Reader) (lines []string) {
	scan := bufio.NewScanner(master)
	for scan.Scan() {
		lines = append(lines, strings.TrimSpace(scan.Text()))
	}
	return lines
}

func TestInterruptReachesTheForegroundProcess(t *testing.T) {
	g := newGuest(t)
	master, slave, err := OpenPTY(g.root(), idBase, idBase+5)
	must(t, err)
	defer master.Close()
	fd := int(slave.Fd())
	c := g.start(&Process{Args: []string{"sh", "-c", "echo set; exec sleep 100"}, Files: [3]int{fd, fd, fd}, TTY: true})
	slave.Close()
	must(t, readLine(master, "set\r"))
	_, err = master.Write([]byte{3})
	must(t, err)
	if status, err := c.Wait(); err != nil || status.Signal() != unix.SIGINT {
		t.Errorf("status %#x, %v", int(status), err)
	}
}

func TestOpenPTYOfAHostileTree(t *testing.T) {
	for name, script := range map[string]string{
		"another in place": "mount -t tmpfs tmpfs /dev/pts; mkfifo /dev/pts/ptmx",
		"mounted over":     "mkfifo /srv/fifo; mount --bind /srv/fifo /dev/pts/ptmx",
		"a link":           "mount -t tmpfs tmpfs /dev; ln -s /srv /dev/pts; mkfifo /srv/ptmx",
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t)
			g.shell(script)
			if _, _, err := OpenPTY(g.root(), idBase, idBase+5); err == nil {
				t.Error("a terminal came from it")
			}
		})
	}
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "dev", "pts"), 0o755))
	root, err := safefs.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	if _, _, err := OpenPTY(root, 0, 5); err == nil {
		t.Error("a terminal came from an empty tree")
	}
}
