package limits

import "time"

// Group is the groups of one guest, made or opened:
//
//	v2   BASE/NAME/guest            limits and device rules, root's alone
//	     BASE/NAME/guest/payload    the guest's own, its processes are here and below
//	v1   BASE/NAME                  limits, root's alone (hybrid hosts)
//
// The fds belong to the Group and are closed by Close. Two goroutines may use a
// Group at once, but not while one of them closes it.
type Group interface {
	// GuestFD is guest's directory in v2, to attach device rules to.
	GuestFD() int
	// PayloadFD is payload's directory in v2, for clone3 with CLONE_INTO_CGROUP.
	PayloadFD() int
	// Dirs are the directories of the groups that have the guest's limits and figures.
	Dirs() Dirs
	// JoinFDs are the tasks files of the v1 groups, open for writing: a thread
	// that writes "0" to each is in all of them. The kernel checks who opened the
	// file, so a thread in the guest's user namespace may do it.
	JoinFDs() []int
	// Leaf opens payload/.sysct, made if missing, where processes go that enter
	// the guest from outside: payload itself can hold none once the guest's service
	// manager has enabled controllers there. The caller closes the fd.
	Leaf() (fd int, err error)
	// Freeze stops every process, and returns when all have stopped. If that takes
	// longer than timeout they run on, and the error is an ErrTimeout.
	Freeze(timeout time.Duration) error
	// Thaw lets them run again, and returns when they do. An ErrTimeout says what
	// keeps them frozen.
	Thaw(timeout time.Duration) error
	// Kill sends SIGKILL to every process, frozen or not, and doesn't wait.
	Kill() error
	// Events says whether any process is left, and whether all are frozen. It reads
	// EventsFD, which ends the readiness that epoll reported. After Remove it says no
	// to both.
	Events() (populated, frozen bool, err error)
	// EventsFD is cgroup.events of guest: it has EPOLLPRI when Events has changed.
	EventsFD() int
	// Change makes the limits others while the guest runs: to in the place of from. Only
	// what differs is written, all of it or, after an error, none. A *FieldError is a limit
	// that can't be kept here. Processes may be killed for a limit of memory below what is
	// used, see [Lowers]. Of the keys in anew, as limits.pids, a file that has strayed is written
	// too, where from and to have the same.
	Change(from, to Limits, anew ...string) error
	// Strayed compares what the kernel has with limits that were made or changed to: CPU time
	// and CPUs, memory, processes. Rounding of the kernel's is no difference.
	Strayed(l Limits) ([]Strayed, error)
	// Stats reads all that the guest uses.
	Stats() (Stats, error)
	// Alarm opens what tells at once of processes that were killed for lack of memory and
	// of forks that were refused. On a v1 hierarchy a kill whose cause is the host's lack
	// of memory, not the guest's, wakes nobody, but is counted.
	Alarm() (Alarm, error)
	// ReadFile reads a file of the group, as memory.max, in v2 or in the v1 hierarchy that
	// has it; fs.ErrNotExist if none has. One that limits are written to is the one that
	// they are written to, see Places. cgroup.procs and cgroup.threads have all who are in the
	// guest's groups.
	ReadFile(name string) (string, error)
	// WriteFile writes one, in all its places, if it is one of a controller's: see CheckFile.
	WriteFile(name, value string) error
	// Pids lists the processes of the guest, in no order.
	Pids() ([]int, error)
	// Remove is Backend.Remove of this guest's groups. Close is still to be called.
	Remove() error
	// Close closes the fds; the groups stay.
	Close() error
}

// Dirs are directories of a guest's groups, by descriptors that are their Group's.
type Dirs struct {
	V2 int            // guest
	V1 map[string]int // by controller, where a controller is on v1
}

// Of gives the directory that a controller's files are in, if it is anywhere.
func (d Dirs) Of(controller string) (fd int, v1 bool) {
	if fd, v1 = d.V1[controller]; v1 {
		return fd, true
	}
	return d.V2, false
}

// Alarm counts what befell the processes of a guest's groups since they were made.
type Alarm interface {
	// FDs are to be waited for by epoll; they are closed by Close.
	FDs() []AlarmFD
	// Counts reads the counters, and ends the readiness that epoll reported.
	Counts() (Counts, error)
	// Unheard reads the count of refused forks where the kernel tells nobody that it grew,
	// as on a v1 hierarchy; ok is false where one of FDs tells. FDs are left as they are.
	Unheard() (refused int64, ok bool)
	Close() error
}

// AlarmFD is a descriptor that has one of the epoll events when a counter may have
// changed. Where the kernel says so first and counts then, the counter follows soon.
type AlarmFD struct {
	FD     int
	Events uint32
}

// Counts are what an Alarm counts; what no controller counts stays 0.
type Counts struct {
	OOMKills int64 // processes that were killed for lack of memory
	Refused  int64 // forks and clones that the limit of processes refused
}

// Sight is what is to be seen of a guest by its groups.
type Sight struct {
	Populated, Frozen bool   // see Group.Events
	Stats             *Stats // nil: not asked for, or nobody is in it
}

// Watch looks at the guests of one base, again and again. It keeps files open.
type Watch interface {
	Sights(names []string, want Want) (map[string]Sight, error) // see Backend
	Close()
}

// Backend makes the groups of guests. A base is one instance's and a name one
// guest's: both are single path components. Calls for one guest exclude one
// another by a lock of the caller; those for different guests run in parallel.
type Backend interface {
	// Make makes the groups of a guest, sets the limits, and hands payload to the
	// user and group owner of the host. Nothing is left of it after an error. Groups
	// without processes that an earlier life left under the name are removed first;
	// with processes, the error is fs.ErrExist. A *FieldError is a limit that
	// can't be kept here. Warnings are told to warn, which may be nil.
	Make(base, name string, l Limits, owner uint32, warn func(string)) (Group, error)
	// Open opens the groups that Make made: fs.ErrNotExist if there are none.
	Open(base, name string) (Group, error)
	// Sights looks at many guests at once, with what is wanted of what they use.
	// Guests without groups are not in the result; one that ends meanwhile may lack Stats.
	Sights(base string, names []string, want Want) (map[string]Sight, error)
	// Watch is Sights for somebody who looks again and again.
	Watch(base string) Watch
	// List names the guests that have any group under base, even half of one.
	List(base string) ([]string, error)
	// Remove removes every group of a guest with all groups below, and base if it is
	// empty then. It tries for some seconds while they are busy; the error is then an
	// EBUSY that names a process. No group at all is no error.
	Remove(base, name string) error
}
