package cases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// patience is how long something may take that has to come, and silence how long
// something is waited for that must not.
const (
	patience = time.Minute
	silence  = 300 * time.Millisecond
)

// world is an instance of sysct in a host with an internet.
type world struct {
	top      string
	host     *nettest.Namespace
	internet *nettest.Internet
}

func newWorld(t *testing.T) *world {
	t.Helper()
	top, err := os.MkdirTemp("/var/tmp", "sysct-test-")
	if err != nil {
		t.Fatal(err)
	}
	// Programs that serve names as a user of their own have to get through.
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &world{top: top, host: nettest.Here(t)}
	w.internet = nettest.NewInternet(t, w.host, nil)
	t.Cleanup(func() { w.end(t) })
	return w
}

// end destroys what is there and looks for traces.
func (w *world) end(t *testing.T) {
	if t.Failed() {
		w.show(t)
	}
	if out, status := w.try("destroy", "--all", "-f"); status != 0 {
		t.Errorf("destroy: %d\n%s", status, out)
	}
	for _, name := range w.networks(t) {
		w.sysct(t, "net", "down", name)
	}
	eventually(t, "links, tables and processes are gone", func() error { return w.left(t) })
	err := os.RemoveAll(w.top)
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = os.RemoveAll(w.top) {
		time.Sleep(20 * time.Millisecond) // the holder's log has a last line
	}
	if err != nil {
		t.Error(err)
	}
}

// show prints what helps to find out why a test failed.
func (w *world) show(t *testing.T) {
	for _, line := range []string{"ip -br addr", "bridge -d link", "nft list ruleset", "ps -eo pid,args"} {
		out, _ := exec.Command("sh", "-c", line).CombinedOutput()
		t.Logf("%s\n%s", line, out)
	}
	logs, _ := filepath.Glob(w.top + "/log/*.log")
	for _, f := range logs {
		text, _ := os.ReadFile(f)
		t.Logf("%s\n%s", f, text[max(0, len(text)-3000):])
	}
}

// command is a call of sysct.
func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(os.Getenv(programs), "sysct"), args...)
	cmd.Env = append(os.Environ(), "SYSCT_STATE_DIR="+w.top+"/lib", "SYSCT_RUN_DIR="+w.top+"/run", "SYSCT_CACHE_DIR="+testimages.Cache())
	return cmd
}

// sysct calls it; it has to succeed.
func (w *world) sysct(t testing.TB, args ...string) string {
	t.Helper()
	out, status := w.try(args...)
	if status != 0 {
		t.Fatalf("sysct %s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// try calls it and gives what it printed, complaints too, and its status.
func (w *world) try(args ...string) (string, int) {
	cmd := w.command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		return err.Error(), -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// exec runs a shell command in a guest, which has to succeed.
func (w *world) exec(t testing.TB, guest, line string) string {
	t.Helper()
	return strings.TrimSpace(w.sysct(t, "exec", guest, "--", "sh", "-c", line))
}

// create makes a guest with a configuration.
func (w *world) create(t testing.TB, name, config string, template ...string) {
	t.Helper()
	w.sysct(t, append([]string{"-q", "create", name, "-B", "overlay", "-t"}, template...)...)
	if config == "" {
		return
	}
	path := filepath.Join(w.top, "lib", name, "config.toml")
	if err := os.WriteFile(path, []byte("version = 1\n"+config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// guest is one that runs.
type guest struct {
	name   string
	net    *nettest.Namespace
	mac    net.HardwareAddr
	v4, v6 netip.Addr
}

// look finds out who a running guest is, by its own eth0.
func (w *world) look(t testing.TB, name string) *guest {
	t.Helper()
	var info struct{ Pid int }
	if err := json.Unmarshal([]byte(w.sysct(t, "info", "--json", name)), &info); err != nil {
		t.Fatal(err)
	}
	g := &guest{name: name, net: nettest.Of(t, info.Pid)}
	err := g.net.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		g.mac = i.HardwareAddr
		g.v4, g.v6, err = addresses(i)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}

// addresses are a link's, one a family, without that of the link alone.
func addresses(i *net.Interface) (v4, v6 netip.Addr, err error) {
	all, err := i.Addrs()
	if err != nil {
		return v4, v6, err
	}
	for _, a := range all {
		switch addr, _ := netip.AddrFromSlice(a.(*net.IPNet).IP); {
		case addr.Unmap().Is4():
			v4 = addr.Unmap()
		case !addr.IsLinkLocalUnicast():
			v6 = addr
		}
	}
	if !v4.IsValid() || !v6.IsValid() {
		err = fmt.Errorf("%s has the addresses %v", i.Name, all)
	}
	return v4, v6, err
}

// bridge is the host's only bridge, with its addresses.
func (w *world) bridge(t testing.TB) (i *net.Interface, v4, v6 netip.Addr) {
	t.Helper()
	found, err := filepath.Glob("/sys/class/net/*/bridge")
	if err != nil || len(found) != 1 {
		t.Fatalf("bridges: %q, %v", found, err)
	}
	if i, err = net.InterfaceByName(filepath.Base(filepath.Dir(found[0]))); err == nil {
		v4, v6, err = addresses(i)
	}
	if err != nil {
		t.Fatal(err)
	}
	return i, v4, v6
}

// eventually waits for something that happens by itself.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Errorf("not so: %s: %v", what, err)
}

// tag is in the names of what the host has only once.
func (w *world) tag() string { return spec.Tag(w.top + "/lib") }

// left tells what of sysct's is in the host.
func (w *world) left(t testing.TB) error {
	var err error
	links, _ := net.Interfaces()
	for _, l := range links {
		if l.Name != "lo" && l.Name != w.internet.Uplink {
			err = errors.Join(err, fmt.Errorf("link %s", l.Name))
		}
	}
	for _, table := range nettest.Tables(t) {
		err = errors.Join(err, errors.New(table))
	}
	made, _ := filepath.Glob("/run/*" + w.tag() + "*")
	for _, path := range made {
		err = errors.Join(err, errors.New(path))
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if text, readErr := os.ReadFile(f); readErr == nil && (bytes.Contains(text, []byte(w.top)) || bytes.Contains(text, []byte(w.tag()))) {
			err = errors.Join(err, fmt.Errorf("process %s: %q", f, text))
		}
	}
	return err
}

// networks are those that the instance has up.
func (w *world) networks(t testing.TB) []string {
	var all []struct {
		Name string
		Up   bool
	}
	if err := json.Unmarshal([]byte(w.sysct(t, "net", "ls", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	var up []string
	for _, n := range all {
		if n.Up {
			up = append(up, n.Name)
		}
	}
	return up
}
