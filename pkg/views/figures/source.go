package figures

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views"
)

// Config is what a Source is opened with.
type Config struct {
	// Groups are the guest's groups; the Source keeps no fd of them.
	Groups limits.Dirs
	// Offset is the guest's boottime less the host's, as in the time namespace's
	// offsets (views.ParseTimeOffsets): below zero.
	Offset time.Duration
	// State is what an earlier Source of this boot of the guest knew; nil if none was.
	State *State
}

// Source reads the figures of one boot of a guest. It isn't safe for two
// goroutines at once.
type Source struct {
	config  Config
	reader  reader
	memory  memory
	cpus    cpus
	cpuInfo cpuInfo
	times   times
	tasks   tasks
	disks   disks
	shot    views.Snapshot
	state   State
}

// State is what a Source knows that the kernel doesn't: it is handed to the one
// that follows it when the monitor is replaced, so that no counter goes backwards.
type State struct {
	BootTime time.Duration    `json:"boot_time,omitempty"` // of the guest, since 1970
	LastPID  uint64           `json:"last_pid,omitempty"`  // the highest that was seen in the guest
	Times    views.TimeKeeper `json:"times"`
	Load     LoadState        `json:"load"`
}

// Open opens the files of a guest's groups and of the host.
func Open(c Config) (*Source, error) {
	s := &Source{config: c}
	if c.State != nil {
		s.state = *c.State
	}
	for _, open := range []func() error{s.openMemory, s.openCPUs, s.openTimes, s.openTasks, s.openDisks} {
		if err := open(); err != nil {
			s.Close()
			return nil, fmt.Errorf("cannot open a guest's figures: %w", err)
		}
	}
	return s, nil
}

// Close closes all files.
func (s *Source) Close() {
	for _, part := range []interface{ close() }{&s.memory, &s.cpus, &s.times, &s.tasks, &s.disks} {
		part.close()
	}
}

// State is what the next Source has to know.
func (s *Source) State() State { return s.state }

// Now is the time that Snapshot and Tick want: of the host's CLOCK_BOOTTIME.
func Now() time.Duration { return clock(unix.CLOCK_BOOTTIME) }

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0 // there is no Linux without these clocks
	}
	return time.Duration(t.Nano())
}

// Snapshot reads what is needed. The result belongs to the Source, and holds
// until the next call. What can't be read is 0, as a removed group's figures.
func (s *Source) Snapshot(need views.Need, now time.Duration) *views.Snapshot {
	s.shot.Uptime = max(0, now+s.config.Offset)
	s.shot.BootTime = s.bootTime(now)
	if need&views.NeedMemory != 0 {
		s.shot.Memory = views.NewMemory(s.memoryUse())
	}
	if need&(views.NeedCPUs|views.NeedTimes|views.NeedCPUInfo) != 0 {
		s.readCPUs()
	}
	if need&views.NeedCPUInfo != 0 {
		s.readCPUInfo()
	}
	if need&views.NeedTimes != 0 {
		s.readTimes()
	}
	if need&views.NeedLoad != 0 {
		s.readLoad()
	}
	if need&(views.NeedTasks|views.NeedLoad) != 0 {
		s.readTasks()
	}
	if need&views.NeedDisks != 0 {
		s.readDisks()
	}
	return &s.shot
}

// bootTime is when the guest booted by the host's clock of today, in seconds.
// The two clocks aren't read at one moment: only a real difference counts, or the
// second would now and then change.
func (s *Source) bootTime(now time.Duration) int64 {
	boot := clock(unix.CLOCK_REALTIME) - Now() - s.config.Offset
	if d := boot - s.state.BootTime; d > 100*time.Millisecond || d < -100*time.Millisecond {
		s.state.BootTime = boot
	}
	return int64(s.state.BootTime / time.Second)
}
