package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bench is one call of the program.
type bench struct {
	ctx   context.Context
	out   io.Writer
	runs  int
	dir   string
	cache string
	env   []string
	said  *os.File // what commands say, from the last one on
	peers []peer   // see class
	// netPeers are sysct and LXC with guests on a bridge, hand is what these are measured by.
	netPeers []peer
	hand     byHand
	sysct    *sysct
	lxcfs    *lxcfs
	// pivots are control groups of LXC's that were there before.
	pivots map[string]bool
	made   map[string]bool // guests, by name
	notes  []string
	words  int // see lastWord
}

// open prepares the directory and the peers. What an earlier call that was killed
// has left is removed first.
func open(ctx context.Context, o options) (*bench, error) {
	bin, err := filepath.Abs(o.sysct)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.dir, 0o711); err != nil {
		return nil, err
	}
	if err := lock(o.dir); err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, out: os.Stdout, runs: o.runs, dir: o.dir, cache: o.cache, made: map[string]bool{}, pivots: pivots()}
	b.env = append(os.Environ(), "SYSCT_STATE_DIR="+o.dir+"/lib", "SYSCT_RUN_DIR="+b.runDir(),
		"SYSCT_LOG_DIR="+o.dir+"/log", "SYSCT_CACHE_DIR="+o.cache, "SYSCT_NETWORK=none")
	if b.said, err = os.OpenFile(filepath.Join(o.dir, "said"), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	b.sysct = &sysct{b, bin}
	b.peers = []peer{
		b.sysct,
		&lxc{b: b, letter: "c", about: "LXC, hooks cleared", config: hooksCleared},
		&lxc{b: b, letter: "a", about: "LXC as shipped"},
		&lxc{b: b, letter: "u", about: "LXC, user namespace", config: userNamespace, direct: true},
	}
	b.netPeers = []peer{networked{b.sysct}, &lxc{b: b, letter: "n", about: "LXC, bridge, hooks cleared", config: onBridge}}
	b.hand = byHand{b.sysct}
	b.sweep()
	for _, d := range []string{"lib", "log", "lxc-c", "lxc-a", "lxc-u", "lxc-n"} {
		// LXC's guests with a user namespace have to get through.
		if err := os.MkdirAll(filepath.Join(o.dir, d), 0o711); err != nil {
			return nil, err
		}
	}
	if b.lxcfs, err = startLXCFS(b); err != nil {
		b.note("lxcfs doesn't run here: %v; the hook of LXC as shipped finds nothing to mount", err)
	}
	return b, nil
}

// runDir is in memory, as /run is on a host with systemd, where that can be.
func (b *bench) runDir() string {
	const memory = "/dev/shm"
	var fs unix.Statfs_t
	if unix.Statfs(memory, &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
		return filepath.Join(memory, filepath.Base(b.dir))
	}
	return filepath.Join(b.dir, "run")
}

// lock keeps two calls from working in one directory. The descriptor is kept.
func lock(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("cannot work in %s: another benchmark does: %w", dir, err)
	}
	return nil
}

// run does the rows and prints the result. A row that fails doesn't keep the
// others from being measured.
func (b *bench) run(chosen []row) error {
	b.printHost()
	t := newTable()
	var failed error
	for _, r := range chosen {
		fmt.Fprintf(os.Stderr, "%s …\n", r.title)
		samples, err := b.measure(r)
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", r.key, err)
			fmt.Fprintln(os.Stderr, "bench:", err)
			failed = errors.Join(failed, err)
			continue
		}
		t.add(r, samples)
	}
	t.print(b.out)
	b.printNotes()
	return failed
}

func (b *bench) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// guest gives a peer's guest, made at its first use, and stopped.
func (b *bench) guest(p peer, short string, k kind) (string, error) {
	name := p.name(short)
	if b.made[name] {
		return name, nil
	}
	if err := p.make(name, k); err != nil {
		return "", err
	}
	b.made[name] = true
	return name, nil
}

// image is the tree of a kind's image in sysct's cache, which is built if it isn't there.
func (b *bench) image(k kind) (string, error) {
	name, err := b.guest(b.sysct, k.String(), k)
	if err != nil {
		return "", err
	}
	info, err := b.sysct.info(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(b.cache, "images", info.Image, "rootfs"), nil
}
