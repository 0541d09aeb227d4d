package networks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/pkg/vnet"
)

// resolvConf has the name servers that a network's name server asks.
const resolvConf = "/etc/resolv.conf"

// The users that dnsmasq may run as, the first that there is.
func dnsUsers() []string { return []string{"dnsmasq", "nobody"} }

// programDirs are where the host's programs are, whatever PATH says.
func programDirs() []string {
	return []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin", "/run/current-system/sw/bin"}
}

func findProgram(name string) (string, error) {
	for _, dir := range programDirs() {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", as(ErrMissing, "the host has no %s\nhint: apt install dnsmasq-base nftables", name)
}

// namesDir is where the instance's dnsmasqs find what they read. They aren't root's, so it is
// below a directory that everybody reaches, wherever the instance has its own.
func (s *Store) namesDir() string {
	if s.Tag == "" {
		return "/run/sysct-dns"
	}
	return "/run/sysct-dns-" + s.Tag
}

// dns is the dnsmasq of one network.
type dns struct {
	*Store
	net *vnet.Network
}

// wantsDNS says whether a network has a dnsmasq at all.
func wantsDNS(n *vnet.Network) bool { return n.DNS || n.DHCP }

func (d *dns) dir() string        { return filepath.Join(d.namesDir(), d.net.Name) }
func (d *dns) configPath() string { return filepath.Join(d.dir(), "dnsmasq.conf") }
func (d *dns) pidPath() string    { return filepath.Join(d.RunDir, ".net", "dns-"+d.net.Name+".pid") }
func (d *dns) notePath() string   { return filepath.Join(d.RunDir, ".net", "dns-"+d.net.Name+".json") }

// note is what a dnsmasq was started for: with another bridge of the same name it listens
// on nothing.
type note struct {
	Index  int    `json:"index"`  // of the bridge
	Config string `json:"config"` // its text
}

// setup is what the files are made of.
func (d *dns) setup(entries []entry) (*dnsSetup, int, error) {
	name, group, gid, err := dnsUser()
	return &dnsSetup{net: d.net, dir: d.dir(), pidFile: d.pidPath(), user: name, group: group, resolv: resolvConf, entries: entries}, gid, err
}

// dnsUser is who dnsmasq becomes, and the group that its files are for.
func dnsUser() (name, group string, gid int, err error) {
	for _, name := range dnsUsers() {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		g, err := user.LookupGroupId(u.Gid)
		if err != nil {
			continue
		}
		gid, err := strconv.Atoi(u.Gid)
		return name, g.Name, gid, err
	}
	return "", "", 0, errors.New("cannot find a user for dnsmasq: the host has neither dnsmasq nor nobody")
}

// files writes what dnsmasq reads, as far as it differs, and says what did.
func (d *dns) files(setup *dnsSetup, gid int) (config, names bool, err error) {
	if err := os.MkdirAll(filepath.Dir(d.dir()), 0o755); err != nil {
		return false, false, fmt.Errorf("cannot make directory for dnsmasq: %w", err)
	}
	if err := os.Mkdir(d.dir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, false, fmt.Errorf("cannot make directory for dnsmasq: %w", err)
	}
	dir, err := unix.Open(d.dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, false, fmt.Errorf("cannot open directory for dnsmasq: %w", err)
	}
	defer unix.Close(dir)
	// Its user reads the files again when guests come and go, and nobody else need see
	// who is on the network.
	if err := errors.Join(unix.Fchown(dir, 0, gid), unix.Fchmod(dir, 0o750)); err != nil {
		return false, false, fmt.Errorf("cannot give directory to dnsmasq: %w", err)
	}
	for _, f := range []struct {
		name, text string
		changed    *bool
	}{{"hosts", setup.hosts(), &names}, {"dhcp-hosts", setup.dhcpHosts(), &names}, {"dnsmasq.conf", setup.config(), &config}} {
		now, _, err := atomicfile.Read(dir, f.name, 1<<26)
		if err == nil && string(now) == f.text {
			continue
		}
		if err := atomicfile.WriteVolatile(dir, f.name, []byte(f.text), 0o644); err != nil {
			return config, names, err
		}
		*f.changed = true
	}
	return config, names, nil
}

// up has a dnsmasq run with the current files, on the bridge of the index.
func (d *dns) up(ctx context.Context, index int) error {
	if !wantsDNS(d.net) {
		return d.down(ctx)
	}
	if _, err := findProgram("dnsmasq"); err != nil {
		return err
	}
	// Until dnsmasq runs: nobody can tell one that is just starting of a new name.
	lock, err := d.lockLedger(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	l, err := d.readLedger()
	if err != nil {
		return err
	}
	setup, gid, err := d.setup(l.of(d.net.Name))
	if err != nil {
		return err
	}
	_, names, err := d.files(setup, gid)
	if err != nil {
		return err
	}
	if d.isFor(index, setup.config()) {
		if names {
			return d.reload()
		}
		return nil
	}
	if err := d.stop(ctx); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	return writeNote(d.notePath(), note{Index: index, Config: setup.config()})
}

// isFor says whether a dnsmasq runs that was started with this configuration for this
// bridge.
func (d *dns) isFor(index int, config string) bool {
	var was note
	if readJSON(d.notePath(), &was) != nil || was.Index != index || config != "" && was.Config != config {
		return false
	}
	return d.alive()
}

func writeNote(path string, n note) error {
	if err := writeJSON(path, n); err != nil {
		return fmt.Errorf("cannot note what dnsmasq was started for: %w", err)
	}
	return nil
}

// alive says whether the network's dnsmasq runs.
func (d *dns) alive() bool {
	p, err := openDaemon(d.pidPath(), d.configPath())
	if err != nil || p == nil {
		return false
	}
	p.close()
	return true
}

// reload has a dnsmasq that runs read its names again.
func (d *dns) reload() error {
	p, err := openDaemon(d.pidPath(), d.configPath())
	if err != nil || p == nil {
		return err
	}
	defer p.close()
	return p.signal(unix.SIGHUP)
}

// down ends the dnsmasq and removes all of it.
func (d *dns) down(ctx context.Context) error {
	err := d.stop(ctx)
	for _, path := range []string{d.notePath(), d.pidPath()} {
		if removing := os.Remove(path); removing != nil && !errors.Is(removing, fs.ErrNotExist) {
			err = errors.Join(err, removing)
		}
	}
	if removing := os.RemoveAll(d.dir()); removing != nil {
		err = errors.Join(err, removing)
	}
	os.Remove(filepath.Dir(d.dir())) // unless another network has something there
	return err
}

// start starts dnsmasq, which answers when this returns: it goes into the background when
// it listens.
func (d *dns) start(ctx context.Context) error {
	if d.Units {
		return d.startUnit(ctx)
	}
	program, err := findProgram("dnsmasq")
	if err != nil {
		return err
	}
	return d.startDaemon(ctx, program)
}

// stop ends it.
func (d *dns) stop(ctx context.Context) error {
	if d.Units {
		return d.stopUnit(ctx)
	}
	return d.stopDaemon(ctx)
}

// tellNames has the name servers of networks that are up follow the ledger, whose lock is
// held.
func (s *Store) tellNames(_ context.Context, l *ledger, names []string) error {
	for _, name := range names {
		if name == routedNetwork {
			continue // nobody serves it
		}
		n, err := s.upAs(name)
		if err != nil {
			return err
		}
		if n == nil || !wantsDNS(n) {
			continue
		}
		d := &dns{s, n}
		setup, gid, err := d.setup(l.of(name))
		if err != nil {
			return err
		}
		if _, changed, err := d.files(setup, gid); err != nil {
			return err
		} else if changed {
			if err := d.reload(); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs a program of the host's to its end, a minute at most; what it says on failure is
// in the error.
func run(ctx context.Context, attr *syscall.SysProcAttr, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Dir, c.SysProcAttr = "/", attr
	// A daemon that keeps its standard output isn't waited for.
	c.WaitDelay = time.Second
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, firstLine(string(out)))
	}
	return nil
}
