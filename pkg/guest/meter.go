package guest

import (
	"context"
	"maps"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// Meter reads what guests use again and again, at a tenth of what [Manager.List] costs:
// files of control groups stay open, and the guests' own files are read when they have
// changed. No monitor is asked. It is for one goroutine.
type Meter struct {
	m       *Manager
	want    limits.Want
	net     NetWant
	boot    string
	again   bool // it isn't the first reading
	plain   limits.Watch
	scopes  limits.Watch // nil: guests are no units
	records map[string]*record
}

// Meter makes a meter for these figures. The caller closes it.
func (m *Manager) Meter(want limits.Want, net NetWant) (*Meter, error) {
	tree, err := detect.Find()
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	t := &Meter{m: m, want: want, net: net, boot: boot, records: map[string]*record{}, plain: cgroupfs.New(tree).Watch(m.base())}
	if m.units {
		t.scopes = cgroupfs.NewDelegated(tree).Watch(guestSlice)
	}
	return t, nil
}

// Close closes what is open.
func (t *Meter) Close() {
	t.plain.Close()
	if t.scopes != nil {
		t.scopes.Close()
	}
}

// Read gives all guests, sorted by name, as List does, but for what needs their
// configuration or their monitor: autostart, groups, the monitor's pid and how they ended.
func (t *Meter) Read(ctx context.Context) ([]Info, error) {
	names, err := t.m.Names()
	if err != nil {
		return nil, err
	}
	sights, err := t.sights(names)
	if err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(names))
	records := make(map[string]*record, len(names))
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r := t.records[name]
		if r == nil {
			r = &record{}
		}
		records[name] = r
		list = append(list, t.info(name, r, sights[name]))
	}
	t.records = records
	t.m.lookAtNetworks(ctx, pointers(list), t.net)
	return list, nil
}

// sights looks at the guests. The first look keeps nothing open: a verb that looks once
// has no use for it.
func (t *Meter) sights(names []string) (map[string]limits.Sight, error) {
	if !t.again {
		t.again = true
		return t.m.sights(names, t.want)
	}
	found, err := t.plain.Sights(names, t.want)
	if err != nil || t.scopes == nil {
		return found, err
	}
	scopes, nameOf := scopesOf(names)
	inScopes, err := t.scopes.Sights(scopes, t.want)
	if err != nil {
		return nil, err
	}
	for scope, sight := range maps.All(inScopes) {
		found[nameOf[scope]] = sight
	}
	return found, nil
}

func (t *Meter) info(name string, r *record, sight limits.Sight) Info {
	if r.stored.changed(filepath.Join(t.m.dir(name), "state.json")) {
		r.info = t.m.stored(name)
	}
	info := r.info
	if !sight.Populated {
		return info
	}
	info.State = state.Running
	if r.life.changed(filepath.Join(t.m.runDir(name), "run.json")) {
		r.run, _ = t.m.readRunOf(name, t.boot) // the kernel's word does without it
	}
	if run := r.run; run != nil && run.State != state.Stopped {
		info.life(run)
	}
	if sight.Frozen {
		info.State = state.Frozen
	}
	if sight.Stats != nil {
		info.Usage = newUsage(sight.Stats)
	}
	return info
}

// record is what is known of a guest from its files.
type record struct {
	stored, life version
	info         Info
	run          *state.Run
}

// version tells one content of a file from the next: it is always replaced whole.
type version struct {
	inode uint64
	mtime unix.Timespec
	known bool
}

// changed says whether the file is another than at the last call, the first included.
// One that isn't there is always another.
func (v *version) changed(path string) bool {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		*v = version{}
		return true
	}
	now := version{st.Ino, st.Mtim, true}
	if now == *v {
		return false
	}
	*v = now
	return true
}
