package guest

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/internal/safefs"
	"github.com/sysct/sysct/internal/systemd"
	"github.com/sysct/sysct/pkg/context/inits"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/images/store"
)

// patient is what is known of a guest, for the checks to judge.
type patient struct {
	name, dir string
	info      *Info
	id        *state.Identity // nil: it can't be read
	errID     error
	cfg       *spec.Guest // nil: it can't be read
	errConfig error
	errPlan   error        // why a start would fail before anything is made
	hook      *hooks.Error // a program that isn't run
	files     map[string]fileFacts
	overlap   *idledger.Entry // another guest that has some of its ids
	errImage  error
	errLayer  error
	root      rootFacts
	errAsk    error // of asking its monitor
	logBytes  int64
	boot      *state.Boot
	system    string
	units     []FailedUnit
	unit      unitFacts
	views     []string // that a running guest should have and hasn't
}

// unitFacts are what the host's systemd thinks of a guest's unit, where it has one.
type unitFacts struct{ masked, failed bool }

// lookAtUnits asks systemd for the guests' units. One that doesn't answer is found wrong by
// what else wants it.
func (m *Manager) lookAtUnits(ctx context.Context, all []*patient) {
	if !m.units || len(all) == 0 {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, unitPatience)
	defer cancel()
	_ = m.withSystemd(bounded, func(conn *systemd.Conn) error {
		for _, p := range all {
			masked, err := conn.Masked(bounded, UnitName(p.name))
			if err != nil {
				return err
			}
			active, err := conn.ActiveState(bounded, UnitName(p.name))
			if err != nil {
				return err
			}
			p.unit = unitFacts{masked, active == "failed"}
		}
		return nil
	})
}

// fileFacts are the owner and mode of one of a guest's own files.
type fileFacts struct{ uid, mode uint32 }

// rootFacts are what can be seen of a guest's root file system.
type rootFacts struct {
	err   error  // it can't be opened
	uid   uint32 // of its top directory, as the host sees it
	mode  uint32
	empty bool
	// init is the first of the inits that is there, "" if none is; closed, that its
	// mode lets nobody execute it; odd and old, what else is in the way, "" if nothing is known.
	init, odd, old string
	closed         bool
}

// look finds out what the checks want to know. A running guest with systemd is
// asked for its failed units.
func (m *Manager) look(ctx context.Context, info *Info, used []idledger.Entry) *patient {
	p := &patient{name: info.Name, dir: m.dir(info.Name), info: info, files: map[string]fileFacts{}}
	p.id, p.errID = m.identity(p.name)
	p.cfg, p.errConfig = m.config(p.name)
	if p.errID == nil && p.errConfig == nil {
		_, p.errPlan = m.monitorPlan(p.name)
		p.hook = m.badHook(p.cfg)
	}
	for _, f := range []string{".", "config.toml", "state.json"} {
		var st unix.Stat_t
		if unix.Lstat(filepath.Join(p.dir, f), &st) == nil {
			p.files[f] = fileFacts{st.Uid, st.Mode}
		}
	}
	if p.id != nil {
		p.overlap = overlapOf(p.dir, p.id, used)
		if p.id.Backend == store.Overlay {
			p.errImage, p.errLayer = m.imageThere(ctx, p.id), m.layersThere(p.id)
		}
	}
	p.root = lookAtRoot(m.Rootfs(p.name), p.cfg)
	for _, path := range m.logFiles(p.name) {
		if st, err := os.Stat(path); err == nil {
			p.logBytes += st.Size()
		}
	}
	p.boot, _ = m.readBoot(p.name)
	m.lookInside(ctx, p)
	return p
}

// comesAndGoes is how long a guest may be without a monitor: until the next one is there, or
// its own end is noted.
const comesAndGoes = time.Second

// lookInside asks the monitor and the system of a running guest.
func (m *Manager) lookInside(ctx context.Context, p *patient) {
	if p.info.State == state.Stopped {
		return
	}
	run, err := m.status(ctx, p.name)
	for end := time.Now().Add(comesAndGoes); errors.Is(err, control.ErrNoMonitor) && time.Now().Before(end); run, err = m.status(ctx, p.name) {
		if populated, look := m.populated(p.name); !populated && look == nil {
			return // it has ended since
		}
		time.Sleep(poll)
	}
	if p.errAsk = err; err != nil {
		if errors.Is(err, control.ErrNoMonitor) {
			p.errAsk = ErrState
		}
		return
	}
	if run != nil && run.Pid > 0 {
		p.views = m.missingViews(ctx, p.name, run.Pid)
	}
	if run != nil && run.State == state.Running {
		p.system, p.units = m.askSystemd(ctx, p.name)
	}
}

// overlapOf finds another guest's range that has ids of this one's.
func overlapOf(dir string, id *state.Identity, used []idledger.Entry) *idledger.Entry {
	for i, e := range used {
		before := uint64(e.Base)+uint64(e.Size) <= uint64(id.IDBase)
		after := uint64(id.IDBase)+uint64(id.IDSize) <= uint64(e.Base)
		if e.Guest != dir && !before && !after {
			return &used[i]
		}
	}
	return nil
}

// initPlaces are where an init is looked for.
func initPlaces(cfg *spec.Guest) []string {
	if cfg != nil {
		if cmd := initCommand(cfg); len(cmd) > 0 {
			return cmd[:1]
		}
	}
	return inits.Places()
}

// lookAtRoot looks at the tree as it is shown on the host.
func lookAtRoot(rootfs string, cfg *spec.Guest) rootFacts {
	var f rootFacts
	root, err := safefs.OpenRoot(rootfs)
	if err != nil {
		f.err = err
		return f
	}
	defer root.Close()
	var st unix.Stat_t
	if f.err = unix.Fstat(root.FD(), &st); f.err != nil {
		return f
	}
	f.uid, f.mode = st.Uid, st.Mode
	names, err := root.ReadDir(".", 1)
	f.empty = err == nil && len(names) == 0
	for _, path := range initPlaces(cfg) {
		if file, err := root.Open(path, unix.O_PATH, 0); err == nil {
			file.Close()
			f.init = path
			f.closed, f.odd = lookAtProgram(root, path)
			f.old = inits.Odd(root, path)
			break
		}
	}
	return f
}

// lookAtProgram says whether a file may be executed by nobody, and what is odd about
// it, as far as its first bytes tell. A FIFO or device isn't read.
func lookAtProgram(root *safefs.Root, path string) (closed bool, odd string) {
	head, mode, err := root.Head(path, 20)
	if err != nil {
		return false, "can't be read: " + err.Error()
	}
	return mode&0o111 == 0, oddHead(head, runtime.GOARCH)
}

// oddHead judges a program's first bytes: of ELF the machine, see elf(5).
func oddHead(head []byte, arch string) string {
	if len(head) < 20 || string(head[:4]) != "\x7fELF" {
		if len(head) < 2 || string(head[:2]) != "#!" {
			return "is neither a program nor a script with #!"
		}
		return ""
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	machines := map[string][]elf.Machine{
		"amd64": {elf.EM_X86_64, elf.EM_386}, "386": {elf.EM_386}, "arm64": {elf.EM_AARCH64, elf.EM_ARM}, "arm": {elf.EM_ARM},
		"riscv64": {elf.EM_RISCV}, "ppc64le": {elf.EM_PPC64}, "s390x": {elf.EM_S390}, "loong64": {elf.EM_LOONGARCH},
	}
	machine := elf.Machine(order.Uint16(head[18:]))
	if known := machines[arch]; known != nil && !slices.Contains(known, machine) {
		return fmt.Sprintf("is a program for another machine (%s)", machine)
	}
	return ""
}
