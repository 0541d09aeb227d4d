package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
)

// Process is a process of a guest, as the host's kernel has it. Its texts are the guest's
// and may be anything.
type Process struct {
	Guest     string    `json:"guest"`
	Pid       int       `json:"pid"`       // on the host
	GuestPid  *int      `json:"guest_pid"` // in the guest; nil: it isn't in its pid namespace
	Parent    int       `json:"ppid"`      // on the host
	UID       *uint32   `json:"uid"`       // in the guest; nil: one that the guest doesn't have
	HostUID   uint32    `json:"host_uid"`
	State     string    `json:"state"` // one letter, see proc(5)
	Threads   int       `json:"threads"`
	Memory    int64     `json:"memory"` // resident, in bytes
	CPU       float64   `json:"cpu"`    // seconds
	StartedAt time.Time `json:"started_at"`
	Name      string    `json:"name"`
	Args      []string  `json:"args"` // nil: it has none, as a zombie, or they can't be read
}

// Processes lists the processes of guests, or of all that run, by what their control
// groups have: no program of a guest is asked or run. ErrNoGuest, ErrState if one that is
// named isn't there or doesn't run.
func (m *Manager) Processes(ctx context.Context, names ...string) ([]Process, error) {
	for _, name := range names {
		if err := m.check(name); err != nil {
			return nil, fmt.Errorf("%s: %w", printable(name), err)
		}
	}
	named := len(names) > 0
	if !named {
		all, err := m.Names()
		if err != nil {
			return nil, err
		}
		names = all
	}
	sights, err := m.sights(names, limits.WantNothing)
	if err != nil {
		return nil, err
	}
	boot, err := bootTime()
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !sights[name].Populated {
			if named {
				return nil, fmt.Errorf("%s: %w", printable(name), stateError("it is not running"))
			}
			continue
		}
		own, err := m.processesOf(name, boot)
		if err != nil {
			return nil, err
		}
		list = append(list, own...)
	}
	return list, nil
}

func (m *Manager) processesOf(name string, boot time.Time) ([]Process, error) {
	group, err := m.openGroup(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it has ended meanwhile
	}
	if err != nil {
		return nil, err
	}
	defer group.Close()
	id, err := m.identity(name)
	if err != nil {
		id = &state.Identity{} // of a broken guest the processes are still of interest
	}
	pids, err := group.Pids()
	if err != nil {
		return nil, err
	}
	slices.Sort(pids)
	ids := m.own(name, id)
	s := &procScan{guest: name, base: ids.Base, size: ids.Size, boot: boot}
	for some := range slices.Chunk(pids, procChunk) {
		if err := s.scan(group, some); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.found, func(a, b Process) int { return cmp.Compare(a.Pid, b.Pid) })
	return s.found, nil
}

// procChunk is how many processes are held open at a time.
const procChunk = 256

// procScan reads what /proc has of a guest's processes.
type procScan struct {
	guest      string
	base, size uint32
	boot       time.Time
	found      []Process
	deaf       bool // reading arguments has hung once: the guest can make it
}

// scan reads some processes. A pid may become another's at any time: each is opened, and
// then has to be in the group still; what is read afterwards through the open directory
// is of that very process.
func (s *procScan) scan(group limits.Group, pids []int) error {
	open := map[int]int{}
	defer func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d", pid), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			open[pid] = fd
		}
	}
	still, err := group.Pids()
	if err != nil {
		return err
	}
	for _, pid := range still {
		fd, ok := open[pid]
		if !ok {
			continue
		}
		if p, err := s.read(fd); err == nil {
			s.found = append(s.found, *p)
		}
	}
	return nil
}
