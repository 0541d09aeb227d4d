package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Order is the starter's side of a monitor. The process is asked for first and told
// what it is to do later, so that it comes up while the starter still reads the
// guest's configuration:
//
//	starter                       monitor
//	NewOrder, hands Plan and
//	Theirs to a holder    ──────▶ starts, waits
//	Begin: plan, one byte ──────▶ reads the plan, starts the guest
//	Report                ◀────── report
//	Close before Begin    ──────▶ ends: there is nothing to do
type Order struct {
	Plan   *os.File // a memfd, empty until Begin
	Theirs *os.File // the monitor's end of the socket, to be closed once it was handed over
	ours   *os.File
}

// NewOrder makes the descriptors that a monitor is started with.
func NewOrder() (*Order, error) {
	plan, err := unix.MemfdCreate("sysct-plan", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot order a monitor: %w", os.NewSyscallError("memfd_create", err))
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		// The starter's end alone: its reads are to be cut short by Close.
		err = unix.SetNonblock(pair[0], true)
	}
	if err != nil {
		unix.Close(plan)
		return nil, fmt.Errorf("cannot order a monitor: %w", os.NewSyscallError("socketpair", err))
	}
	return &Order{Plan: os.NewFile(uintptr(plan), "plan"), Theirs: os.NewFile(uintptr(pair[1]), "report"),
		ours: os.NewFile(uintptr(pair[0]), "monitor")}, nil
}

// Begin gives the monitor its plan. That it died before it could read it is seen in
// Report.
func (o *Order) Begin(p *Plan) error {
	p.Version = planVersion
	data, err := json.Marshal(p)
	if err == nil {
		_, err = o.Plan.Write(data)
	}
	if err == nil {
		_, err = o.ours.Write([]byte{1})
	}
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("cannot write plan: %w", err)
	}
	return nil
}

// PlanFD is the name of the plan among the descriptors that a monitor is started with.
const PlanFD = fdPlan

// WritePlan gives a memfd with a plan, for a monitor that begins at once and reports to
// nobody.
func WritePlan(p *Plan) (int, error) {
	p.Version = planVersion
	data, err := json.Marshal(p)
	if err != nil {
		return -1, fmt.Errorf("cannot write plan: %w", err)
	}
	fd, err := memfd("sysct-plan", data)
	if err != nil {
		return -1, fmt.Errorf("cannot write plan: %w", err)
	}
	return fd, nil
}

// Report waits for the monitor's report; see [ReadReport].
func (o *Order) Report() (*Report, error) { return ReadReport(o.ours) }

// Close ends a Report that waits, and lets a monitor that wasn't told to begin end.
func (o *Order) Close() {
	for _, f := range []*os.File{o.Plan, o.Theirs, o.ours} {
		f.Close() // once more may be: Theirs was closed when it was handed over
	}
}

// errWithdrawn means that the starter has given up before it said what to do.
var errWithdrawn = errors.New("the start was given up")

// awaitOrder waits until the plan is written. A successor of the first monitor has
// no starter any more: it finds a plan that was written, or none and so nothing to do.
func (h *heritage) awaitOrder() error {
	if h.report < 0 {
		fd, ok := h.fds[fdPlan]
		var st unix.Stat_t
		if ok && unix.Fstat(fd, &st) == nil && st.Size == 0 {
			return errWithdrawn
		}
		return nil
	}
	var word [1]byte
	for {
		n, err := unix.Read(h.report, word[:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("cannot wait for plan: %w", err)
		case n == 0:
			return errWithdrawn
		default:
			return nil
		}
	}
}
