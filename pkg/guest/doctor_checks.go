package guest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/hooks"
	"github.com/sysct/sysct/pkg/images/store"
)

// guestCheck is a line of the table of what is checked in a guest.
type guestCheck struct {
	name string
	run  func(*patient) *doctor.Finding // nil: nothing is wrong
}

func guestChecks() []guestCheck {
	return []guestCheck{
		{"state.json", checkIdentity},
		{"config.toml", checkConfig},
		{"hooks", checkHooks},
		{"owner and mode", checkFiles},
		{"id range", checkIDs},
		{"image", checkImage},
		{"shared layers", checkLayers},
		{"rootfs", checkRoot},
		{"init", checkInit},
		{"monitor", checkMonitor},
		{"unit", checkUnit},
		{"views", checkViews},
		{"last boot", checkBoot},
		{"system", checkSystem},
		{"memory", checkMemory},
		{"processes", checkPids},
		{"logs", checkLogs},
		{"protection", checkProtection},
		{"privileged", checkPrivileged},
	}
}

// examineGuest goes through the table. A guest without any finding is fine.
func examineGuest(p *patient) []doctor.Finding {
	var all []doctor.Finding
	for _, c := range guestChecks() {
		if f := c.run(p); f != nil {
			f.Guest, f.Check = p.name, c.name
			all = append(all, *f)
		}
	}
	if doctor.Worst(all) == doctor.OK || doctor.Worst(all) == doctor.Note {
		f := doctor.Fine("%s", strings.ToLower(string(p.info.State)))
		f.Guest, f.Check = p.name, "guest"
		all = append(all, f)
	}
	return all
}

func found(s doctor.Severity, why, mend, format string, args ...any) *doctor.Finding {
	return &doctor.Finding{Severity: s, Why: why, Mend: mend, Found: fmt.Sprintf(format, args...)}
}

func checkIdentity(p *patient) *doctor.Finding {
	if p.errID == nil {
		return nil
	}
	return found(doctor.Problem, "it says which ids and image the guest has: without it the guest can't be started",
		"restore "+p.dir+"/state.json from a backup, or, to give the guest up: sysct destroy "+p.name, "%s", oneLine(p.errID))
}

func checkConfig(p *patient) *doctor.Finding {
	err := p.errConfig
	if err == nil && p.errImage == nil {
		err = p.errPlan
	}
	if err == nil || errors.Is(err, ErrProtected) { // that is meant so: checkProtection notes it
		return nil
	}
	return found(doctor.Problem, "the guest doesn't start", mendConfig(p.name, p.dir, err), "%s", oneLine(err))
}

func checkHooks(p *patient) *doctor.Finding {
	if p.hook == nil {
		return nil
	}
	why := "the guest doesn't start"
	switch p.hook.Hook {
	case hooks.Stop, hooks.PostStop:
		why = "what it is there for isn't done when the guest has ended"
	case hooks.Clone, hooks.Destroy:
		why = "the guest can't be " + map[string]string{hooks.Clone: "cloned", hooks.Destroy: "destroyed"}[p.hook.Hook]
	}
	return found(doctor.Problem, why, "ls -l "+shellWord(p.hook.Path)+"; to do without it: sysct unset "+p.name+" "+hookKey(p.hook.Hook),
		"the program of the %s hook, %s: %s", p.hook.Hook, p.hook.Path, oneLine(p.hook.Err))
}

func checkFiles(p *patient) *doctor.Finding {
	for _, c := range []struct {
		name, what string
		closed     uint32
	}{{".", "its directory", 0o077}, {"config.toml", "config.toml", 0o022}, {"state.json", "state.json", 0o022}} {
		f, ok := p.files[c.name]
		path := strings.TrimSuffix(p.dir+"/"+c.name, "/.")
		switch {
		case !ok:
		case f.uid != 0:
			return found(doctor.Problem, "who owns it decides what runs as root of the guest", "chown root:root "+path, "%s is user %d's", c.what, f.uid)
		case f.mode&c.closed != 0:
			return found(doctor.Problem, "others than root can get at the guest's files through it", fmt.Sprintf("chmod %#o %s", f.mode&0o7777&^c.closed, path),
				"%s has the mode %04o", c.what, f.mode&0o7777)
		}
	}
	return nil
}

func checkIDs(p *patient) *doctor.Finding {
	if p.overlap == nil {
		return nil
	}
	return found(doctor.Problem, "two guests with the same ids could get at each other, so it isn't started",
		"if it is a copy of the other: sysct destroy "+p.name, "its ids %d-%d overlap with %s of %s", p.id.IDBase, uint64(p.id.IDBase)+uint64(p.id.IDSize)-1, p.overlap, p.overlap.Guest)
}

func checkImage(p *patient) *doctor.Finding {
	if p.errImage == nil {
		return nil
	}
	return found(doctor.Problem, "its own files are a layer upon that image: it can't be started without it",
		"build the image again, by a guest that is made with the same template and arguments (sysct create), or restore the cache directory", "%s", oneLine(p.errImage))
}

func checkLayers(p *patient) *doctor.Finding {
	if p.errLayer == nil {
		return nil
	}
	return found(doctor.Problem, "what it had when it was cloned is in that layer: it can't be started without it",
		"restore the layer from a backup, or, to give the guest up: sysct destroy "+p.name, "%s", oneLine(p.errLayer))
}

func checkRoot(p *patient) *doctor.Finding {
	r := p.root
	if r.err != nil {
		return found(doctor.Problem, "there is nothing to boot", "ls -ld "+p.dir+"/rootfs", "rootfs can't be opened: %v", r.err)
	}
	if p.id == nil || p.info.State != state.Stopped {
		return nil // a running one shows other ids
	}
	if r.empty {
		if p.id.Backend == store.Overlay {
			return nil // it isn't shown since the host's boot
		}
		return found(doctor.Problem, "there is nothing to boot", "ls -la "+p.dir+"/rootfs", "rootfs is empty")
	}
	if r.uid != 0 {
		return found(doctor.Problem, "ids on disk are the guest's own: 0 is its root, whose programs believe nothing that another owns",
			"chown root:root "+p.dir+"/rootfs; find "+p.dir+"/rootfs -xdev -uid "+fmt.Sprint(r.uid), "the top of rootfs is user %d's", r.uid)
	}
	if r.mode&0o002 != 0 || r.mode&0o555 != 0o555 {
		return found(doctor.Warning, "every user of the guest has to enter it, and only its root may write there", "chmod 755 "+p.dir+"/rootfs",
			"the top of rootfs has the mode %04o", r.mode&0o7777)
	}
	return nil
}

func checkInit(p *patient) *doctor.Finding {
	r := p.root
	if r.closed {
		return found(doctor.Problem, "the guest doesn't start", "chmod +x "+p.dir+"/rootfs"+r.init, "its init %s is not executable", r.init)
	}
	if r.old != "" {
		return found(doctor.Problem, "the guest doesn't start", "make a guest of a newer release, or name another init: sysct set "+p.name+" init.cmd=/PATH",
			"its init %s %s", r.init, r.old)
	}
	if r.odd != "" {
		return found(doctor.Warning, "unless the host runs such programs by an emulator, the guest doesn't start",
			"ls -lL "+p.dir+"/rootfs"+r.init+"; file "+p.dir+"/rootfs"+r.init, "its init %s %s", r.init, r.odd)
	}
	if r.err != nil || r.empty || r.init != "" {
		return nil
	}
	return found(doctor.Problem, "the guest doesn't start", "install an init in "+p.dir+"/rootfs, or name yours: sysct set "+p.name+" init.cmd=/PATH",
		"no init: none of %s is there", strings.Join(initPlaces(p.cfg), ", "))
}

func checkMonitor(p *patient) *doctor.Finding {
	switch {
	case p.errAsk == nil:
		return nil
	case p.errAsk == ErrState:
		return found(doctor.Problem, "nobody drains its console, so its writers will hang", "sysct stop -k "+p.name+"; sysct start "+p.name, "it runs, and its monitor doesn't")
	}
	return found(doctor.Problem, "nobody drains its console, and stop can't ask it", "sysct stop -k "+p.name+"; sysct start "+p.name, "its monitor doesn't answer: %s", oneLine(p.errAsk))
}

func checkUnit(p *patient) *doctor.Finding {
	unit := UnitName(p.name)
	switch {
	case p.unit.masked:
		return found(doctor.Problem, "systemd doesn't start it, nor another monitor if its monitor dies", "systemctl unmask "+unit, "its unit %s is masked", unit)
	case p.unit.failed:
		return found(doctor.Warning, "the host counts as degraded until it is started or that is forgotten",
			"sysct why "+p.name+"; then sysct start "+p.name+", or systemctl reset-failed "+unit, "its unit %s has failed", unit)
	}
	return nil
}

func checkBoot(p *patient) *doctor.Finding {
	if p.boot == nil || p.info.Ready != nil && *p.info.Ready {
		return nil
	}
	text := "init ended by itself"
	if e := p.boot.Exit; e != nil && e.Reason == state.ReasonOOM {
		text = "init was killed for lack of memory"
	}
	if f := p.boot.Failure; f != nil {
		text = f.Step + ": " + f.Message
	}
	return found(doctor.Warning, "none has gone well since", "sysct why "+p.name, "a boot went wrong: %s", strings.ReplaceAll(text, "\n", " "))
}

func checkSystem(p *patient) *doctor.Finding {
	if len(p.units) == 0 {
		return nil
	}
	var names []string
	for _, u := range p.units {
		names = append(names, u.Name)
	}
	return found(doctor.Warning, "what they do isn't done", "sysct why "+p.name, "failed units: %s", strings.Join(names, " "))
}

func checkMemory(p *patient) *doctor.Finding {
	if n := p.info.Use().OOMKills; n != nil && *n > 0 {
		return found(doctor.Warning, "its programs die of that", moreMemory(p.name, p.cfg, p.info.State),
			"%d of its processes were killed since its start because its memory limit was reached", *n)
	}
	return nil
}

func checkPids(p *patient) *doctor.Finding {
	use := p.info.Use()
	if !use.PidsReached() {
		return nil
	}
	return found(doctor.Warning, "its programs can't start any others then", morePids(p.name, *use.PidsMax),
		"since its start it has had all the %d processes that its limit allows", *use.PidsMax)
}

// morePids is how to double the number of processes of a guest that runs: it counts at once.
func morePids(name string, now int64) string {
	return fmt.Sprintf("sysct set %s limits.pids=%d", name, 2*now)
}

// moreMemory is how to double a guest's memory: in one that runs it counts at once.
func moreMemory(name string, cfg *spec.Guest, now state.State) string {
	amount := "SIZE"
	if cfg != nil && cfg.Limits.Memory != nil {
		amount = (2 * *cfg.Limits.Memory).String()
	}
	line := fmt.Sprintf("sysct set %s limits.memory=%s", name, amount)
	if now == state.Stopped {
		line += "; sysct start " + name
	}
	return line
}

// manyLogBytes is more than the logs of a guest have by default when all are full.
const manyLogBytes = 256 << 20

func checkLogs(p *patient) *doctor.Finding {
	if p.logBytes < manyLogBytes {
		return nil
	}
	return found(doctor.Note, "they are rotated by size, and [console] log_size and log_files say how much that is",
		"sysct set "+p.name+" console.log_files=1", "its logs have %d MiB", p.logBytes>>20)
}

func checkProtection(p *patient) *doctor.Finding {
	if p.cfg == nil || len(p.cfg.Protect) == 0 {
		return nil
	}
	return found(doctor.Note, "its configuration says so (protect)", "", "it is protected from %s", strings.Join(p.cfg.Protect, " and "))
}
