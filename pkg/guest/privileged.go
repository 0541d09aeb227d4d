package guest

import (
	"errors"
	"fmt"

	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
)

// privilegedWarning is what everybody is told who has to do with such a guest.
const privilegedWarning = "privileged: its root is the host's root, which nothing keeps from taking the host: only for software that you trust like the host's own"

// idRange are the ids of a guest's next life: its own range, which it keeps also while it is
// privileged, or the host's. Ids on disk are the guest's own either way.
func idRange(cfg *spec.Guest, id *state.Identity) ns.IDRange {
	if cfg.Privileged {
		return ns.HostIDs()
	}
	return ns.IDRange{Base: id.IDBase, Size: id.IDSize}
}

// canBePrivileged refuses a privileged guest where there is no real root.
func canBePrivileged(cfg *spec.Guest) error {
	if cfg.Privileged && store.InUserNamespace() {
		return as(ErrConfig, errors.New("privileged: sysct is in a user namespace here, whose root isn't the host's: it can't have privileged guests"))
	}
	return nil
}

// checkBackend refuses a privileged guest whose files have shifted ids.
func checkBackend(cfg *spec.Guest, id *state.Identity) error {
	if cfg.Privileged && id.Backend == store.Shift {
		return as(ErrConfig, fmt.Errorf("privileged: the files of the backend %s have the ids of the guest's range on disk, not the host's", store.Shift))
	}
	return nil
}

// privilegedWarnings are of a guest that becomes so.
func privilegedWarnings(before, after *spec.Guest) []string {
	if !after.Privileged || before.Privileged {
		return nil
	}
	return []string{privilegedWarning}
}

// own are the ids of the running guest, as its last start left them.
func (m *Manager) own(name string, id *state.Identity) ns.IDRange {
	run, err := m.readRun(name)
	if err == nil && run != nil && ranWithHostIDs(run) {
		return ns.HostIDs()
	}
	return ns.IDRange{Base: id.IDBase, Size: id.IDSize}
}

func ranWithHostIDs(run *state.Run) bool {
	return ns.IDRange{Base: run.IDBase, Size: run.IDSize}.Host()
}

func checkPrivileged(p *patient) *doctor.Finding {
	if p.cfg == nil || !p.cfg.Privileged {
		return nil
	}
	return found(doctor.Warning, "its root is the host's root: nothing keeps it, if it is hostile or taken over, from taking the host",
		"sysct unset "+p.name+" privileged; sysct restart "+p.name, "it is privileged: it has no user namespace")
}
