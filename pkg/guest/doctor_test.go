package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/doctor"
	"github.com/sysct/sysct/pkg/guest"
)

// doctor examines the instance and gives each guest's findings as "severity check".
func (in *instance) doctor(names ...string) map[string]string {
	in.t.Helper()
	findings, err := in.Doctor(context.Background(), names)
	if err != nil {
		in.t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range findings {
		// Other programs may use inotify up.
		if f.Guest == "" && f.Severity == doctor.Problem && f.Check != "inotify" {
			in.t.Errorf("the host: %+v", f)
		}
		all[f.Guest] = strings.TrimPrefix(all[f.Guest]+", "+string(f.Severity)+" "+f.Check, ", ")
	}
	return all
}

func (in *instance) wantDoctor(name, want string) {
	in.t.Helper()
	if got := in.doctor()[name]; got != want {
		in.t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func TestDoctorOfRealGuests(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.create("plain", "busybox", "dir")
	in.wantDoctor("tiny", "ok guest")
	in.wantDoctor("plain", "ok guest")
	rootfs, config := in.Rootfs("plain"), in.dirs.State+"/plain/config.toml"
	harm := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	harm(os.Chmod(rootfs+"/bin/busybox", 0o644))
	in.wantDoctor("plain", "problem init")
	harm(os.Remove(rootfs + "/sbin/init"))
	in.wantDoctor("plain", "problem init")
	harm(os.Chmod(config, 0o666))
	in.wantDoctor("plain", "problem config.toml, problem owner and mode, problem init")
	harm(os.Chmod(config, 0o600))
	in.configure("plain", "memory = 1\n")
	in.wantDoctor("plain", "problem config.toml, problem init")
	state := in.dirs.State + "/plain/state.json"
	whole, err := os.ReadFile(state)
	harm(err)
	harm(os.WriteFile(state, whole[:50], 0o600))
	in.wantDoctor("plain", "problem state.json, problem config.toml, problem init")
	harm(os.WriteFile(state, whole, 0o600))
	in.wantDoctor("tiny", "ok guest")
	if _, err := in.Doctor(context.Background(), []string{"tiyn"}); !errors.Is(err, guest.ErrNoGuest) {
		t.Errorf("no guest: %v", err)
	}
	if all := in.doctor("tiny"); all["plain"] != "" || all["tiny"] == "" || all[""] == "" {
		t.Errorf("one guest: %q", all)
	}
}

func TestDoctorOfARunningGuest(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	in.wantDoctor("tiny", "ok guest")
	proctest.Stop(t, *in.info("tiny").MonitorPid)
	in.wantDoctor("tiny", "problem monitor")
	if err := in.Stop(context.Background(), "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	in.wantDoctor("tiny", "ok guest")
}

// TestDoctorSeesOldMonitors: an upgrade leaves running guests as they are.
func TestDoctorSeesOldMonitors(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.start("tiny")
	newer := filepath.Join(t.TempDir(), "sysct-helper")
	data, err := os.ReadFile(helper)
	if err == nil {
		err = os.WriteFile(newer, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := guest.Open(guest.Options{Dirs: in.dirs, Helper: newer, Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m    *guest.Manager
		want doctor.Severity
		mend string
	}{{in.Manager, doctor.OK, ""}, {m, doctor.Note, "sysct restart tiny"}} {
		findings, err := c.m.Doctor(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.Check == "helpers" })
		if i < 0 || findings[i].Severity != c.want || findings[i].Mend != c.mend {
			t.Errorf("want %s, %q: %+v", c.want, c.mend, findings)
		}
	}
}

func TestLeftoversOfTrials(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	half := in.dirs.State + "/.new-half"
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	left, used := in.dirs.State+"/.probe-1", in.dirs.State+"/.probe-2"
	for _, dir := range []string{left, used} {
		if err := os.MkdirAll(dir+"/guest", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Only the run directory is gone, as after a boot of the host, and stays so.
	if err := os.RemoveAll(in.dirs.Run); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Open(used)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	want := []string{"directory " + half, "directory " + left}
	findings, err := in.Doctor(ctx, nil)
	i := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.Check == "leftovers" })
	if err != nil || i < 0 || findings[i].Found != "2: "+want[0]+" and 1 more" || findings[i].Mend != "sysct gc" {
		t.Errorf("doctor: %v %+v", err, findings)
	}
	if _, err := os.Lstat(in.dirs.Run); err == nil {
		t.Error("doctor made the run directory")
	}
	if lines, err := in.GC(ctx, guest.GCOptions{}); err != nil || !slices.Equal(lines, want) {
		t.Errorf("gc: %q %v", lines, err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Errorf("what is in use: %v", err)
	}
}
