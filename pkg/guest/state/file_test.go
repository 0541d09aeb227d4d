package state

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func openDir(t *testing.T) (fd int, path string) {
	t.Helper()
	path = t.TempDir()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, path
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func identity() *Identity {
	return &Identity{
		Version: 1, Name: "web", IDBase: 1000000, IDSize: 65536, MachineID: "0123456789abcdef0123456789abcdef",
		Template: "debian", Image: "debian-bookworm-amd64", Backend: "overlay",
		CreatedAt: time.Date(2025, 1, 2, 3, 4, 5, 6, time.UTC), MACs: []string{"02:00:00:00:00:01"},
	}
}

const identityText = `{
  "version": 1,
  "name": "web",
  "id_base": 1000000,
  "id_size": 65536,
  "machine_id": "0123456789abcdef0123456789abcdef",
  "template": "debian",
  "image": "debian-bookworm-amd64",
  "backend": "overlay",
  "created_at": "2025-01-02T03:04:05.000000006Z",
  "macs": [
    "02:00:00:00:00:01"
  ]
}
`

func TestIdentityIsReadBack(t *testing.T) {
	fd, path := openDir(t)
	if _, err := ReadIdentity(fd); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	if err := WriteIdentity(fd, identity()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "state.json")
	if data, err := os.ReadFile(file); err != nil || string(data) != identityText {
		t.Errorf("%s, %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if got, err := ReadIdentity(fd); err != nil || !reflect.DeepEqual(got, identity()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDamagedIdentities(t *testing.T) {
	swap := func(old, new string) string { return strings.Replace(identityText, old, new, 1) }
	for data, want := range map[string]string{
		"":                            "the file is empty",
		strings.Repeat("\x00", 500):   "not text",
		"\xff\xfe{}":                  "not text",
		identityText[:200]:            "damaged",
		"{}":                          "no version",
		"null":                        "no version",
		"[]":                          "damaged",
		"7":                           "damaged",
		identityText + "{}":           "damaged",
		strings.Repeat("[", 60000):    "damaged",
		strings.Repeat(" ", 1<<17):    "larger than",
		`{"version": 2, "new": 1}`:    "schema version 2 is newer",
		`{"version": -1}`:             "schema version -1",
		`{"version": 1, "x\n": 1}`:    `unknown field`,
		swap("1000000", "0"):          "id_base: 0 is the host's root",
		swap("1000000", "-1"):         "id_base",
		swap("1000000", "4294967295"): "more than there are",
		swap("1000000", "4294901760"): "more than there are",
		swap("1000000", "4294967296"): "id_base",
		swap("65536", "0"):            "id_size",
		swap("0123456789abcdef0", "0123456789ABCDEF0"):                 "machine_id",
		swap("0123456789abcdef0", "0"):                                 "machine_id",
		swap("02:00:00:00:00:01", "02:00:00:00:00"):                    "macs[0]",
		swap("02:00:00:00:00:01", "02:00:00:00:00:1g"):                 "macs[0]",
		swap(`"web"`, `""`):                                            "name",
		swap(`"web"`, `"a/b"`):                                         "name",
		swap(`"web"`, `".."`):                                          "name",
		swap(`"web"`, `"a\u001b[2J\n"`):                                "name",
		swap(`"overlay"`, `""`):                                        "backend",
		swap("2025-01-02T03:04:05.000000006Z", "0001-01-01T00:00:00Z"): "created_at",
		swap("2025-01-02T03:04:05.000000006Z", "yesterday\\n"):         "damaged",
		swap(`"debian"`, `7`):                                          "damaged",
	} {
		fd, path := openDir(t)
		write(t, path, "state.json", []byte(data))
		id, err := ReadIdentity(fd)
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\x1b\x00") {
			t.Errorf("%.80q: %+v, %v; want %q", data, id, err, want)
		}
	}
}

func TestRandomBytesAreNoIdentity(t *testing.T) {
	fd, path := openDir(t)
	source := rand.NewChaCha8([32]byte{7})
	for size := 1; size < 300; size++ {
		data := make([]byte, size)
		source.Read(data)
		write(t, path, "state.json", data)
		if id, err := ReadIdentity(fd); err == nil {
			t.Fatalf("%x: %+v", data, id)
		}
	}
}

func TestOnlyARegularFileIsRead(t *testing.T) {
	fd, path := openDir(t)
	write(t, path, "real", []byte(identityText))
	if err := os.Symlink("real", filepath.Join(path, "state.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadIdentity(fd); !errors.Is(err, unix.ELOOP) {
		t.Errorf("link: %v", err)
	}
	if err := unix.Mkfifo(filepath.Join(path, "run.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRun(fd); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("fifo: %v", err)
	}
}

func TestWriteRefusesWhatReadWould(t *testing.T) {
	fd, path := openDir(t)
	bad := identity()
	bad.IDBase = 0
	if err := WriteIdentity(fd, bad); err == nil {
		t.Error("an identity with the host's ids was written")
	}
	if err := WriteRun(fd, &Run{State: "BROKEN", BootID: "x"}); err == nil {
		t.Error("an unknown state was written")
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestRunIsReadBack(t *testing.T) {
	fd, _ := openDir(t)
	at := rapid.Map(rapid.Int64Range(0, 1<<40), func(ns int64) time.Time { return time.Unix(1<<30, ns).UTC() })
	exit := rapid.Custom(func(t *rapid.T) *Exit {
		return &Exit{
			Code:   rapid.Ptr(rapid.IntRange(0, 255), true).Draw(t, "code"),
			Signal: rapid.SampledFrom([]string{"", "SIGKILL"}).Draw(t, "signal"),
			Reason: rapid.SampledFrom(Reasons()).Draw(t, "reason"),
			At:     at.Draw(t, "exit at"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		run := &Run{
			Version: 1, BootID: "b1", State: rapid.SampledFrom(States()).Draw(t, "state"),
			Pid: rapid.IntRange(2, 1<<22).Draw(t, "pid"), MonitorPid: rapid.IntRange(2, 1<<22).Draw(t, "monitor"),
			StartedAt: at.Draw(t, "at"), Ready: rapid.Bool().Draw(t, "ready"),
			Boots: rapid.IntRange(0, 9).Draw(t, "boots"), IDBase: rapid.Uint32().Draw(t, "base"),
		}
		if rapid.Bool().Draw(t, "ended") {
			run.Exit = exit.Draw(t, "exit")
		}
		if err := WriteRun(fd, run); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadRun(fd); err != nil || !reflect.DeepEqual(got, run) {
			t.Fatalf("%+v, %v; want %+v", got, err, run)
		}
	})
}

func TestDamagedRuns(t *testing.T) {
	for data, want := range map[string]string{
		`{"version": 1, "boot_id": "b", "state": "RUNNING", "pid": 1}`:                               "pid: 1 is not",
		`{"version": 1, "boot_id": "b", "state": "RUNNING", "pid": -7}`:                              "pid: -7",
		`{"version": 1, "boot_id": "b", "state": "RUNNING", "monitor_pid": 1}`:                       "monitor_pid",
		`{"version": 1, "boot_id": "b", "state": "running"}`:                                         "unknown state",
		`{"version": 1, "state": "RUNNING"}`:                                                         "boot_id",
		`{"version": 1, "boot_id": "\n", "state": "RUNNING"}`:                                        "boot_id",
		`{"version": 1, "boot_id": "b", "state": "RUNNING", "boots": -1}`:                            "boots",
		`{"version": 1, "boot_id": "b", "state": "STOPPED", "exit": {"reason": "tired"}}`:            "exit.reason",
		`{"version": 1, "boot_id": "\n", "state": "STOPPED", "exit": {"reason": "oom"}}`:             "boot_id",
		`{"version": 1, "boot_id": "b", "state": "STOPPED", "exit": {"reason": "oom", "x": 1}}`:      "unknown field",
		`{"version": 1, "boot_id": "b", "state": "STOPPED", "exit": {"reason":"oom","signal":"\t"}}`: "exit.signal",
		`{"version": 9}`: "newer",
	} {
		fd, path := openDir(t)
		write(t, path, "run.json", []byte(data))
		if run, err := ReadRun(fd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", data, run, err, want)
		}
	}
}

// A power loss can leave a run.json that was never synced empty.
func TestEmptyRun(t *testing.T) {
	fd, path := openDir(t)
	write(t, path, "run.json", nil)
	if run, err := ReadRun(fd); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%+v, %v", run, err)
	}
}

// Whatever the file holds, reading it neither panics nor accepts what can't be
// written again.
func FuzzReadIdentity(f *testing.F) {
	for _, seed := range []string{
		identityText, identityText[:100], "", "{}", "null", `{"version":1}`, `{"version":2}`, "\x00", "[[[[",
		`{"version":1,"Version":2,"macs":[null]}`, strings.Replace(identityText, "web", "w\u2028b", 1),
		strings.Replace(identityText, "2025-01-02T03:04:05.000000006Z", "9999-12-31T23:00:00-02:00", 1),
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { unix.Close(fd) })
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, dir, "state.json", data)
		id, err := ReadIdentity(fd)
		if err != nil {
			if bytes.ContainsAny([]byte(err.Error()), "\n\x1b\x00") {
				t.Fatalf("more than a line: %q", err)
			}
			return
		}
		if err := WriteIdentity(fd, id); err != nil {
			t.Fatalf("%+v was read, but: %v", id, err)
		}
		again, err := ReadIdentity(fd)
		if err != nil || !again.CreatedAt.Equal(id.CreatedAt) || again.Name != id.Name || again.IDBase != id.IDBase {
			t.Fatalf("%+v became %+v, %v", id, again, err)
		}
	})
}
