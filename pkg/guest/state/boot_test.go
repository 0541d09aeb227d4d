package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func bootRecord() *Boot {
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	code := 1
	return &Boot{Version: 1, BootID: "b", Number: 2, BeganAt: at, EndedAt: at.Add(time.Second), Ready: true,
		Exit: &Exit{Code: &code, Reason: ReasonExited, At: at.Add(time.Second)}, OOMKills: 1, Status: "Starting", Console: []string{"one", "two"}}
}

func TestBootIsReadBackAndRemoved(t *testing.T) {
	fd, path := openDir(t)
	if _, err := ReadBoot(fd, "web"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := WriteBoot(fd, "web", bootRecord()); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(path, "web.boot.json")); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if got, err := ReadBoot(fd, "web"); err != nil || !reflect.DeepEqual(got, bootRecord()) {
		t.Errorf("%+v, %v", got, err)
	}
	for range 2 {
		if err := RemoveBoot(fd, "web"); err != nil {
			t.Error(err)
		}
	}
	if _, err := ReadBoot(fd, "web"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after its removal: %v", err)
	}
}

func TestImpossibleBootsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Boot){
		"number":       func(b *Boot) { b.Number = 0 },
		"exit":         func(b *Boot) { b.Exit = nil },
		"failure":      func(b *Boot) { b.Failure = &Failure{Step: "clone"} },
		"failure.step": func(b *Boot) { b.Exit, b.Failure = nil, &Failure{} },
		"oom_kills":    func(b *Boot) { b.OOMKills = -1 },
		"exit.reason":  func(b *Boot) { b.Exit.Reason = "fate" },
		"status":       func(b *Boot) { b.Status = "\x1b[2J" },
	} {
		fd, _ := openDir(t)
		b := bootRecord()
		change(b)
		if err := WriteBoot(fd, "web", b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	fd, path := openDir(t)
	write(t, path, "web.boot.json", []byte(`{"version":1,"boot_id":"b","number":1,"mood":"bad"}`))
	if _, err := ReadBoot(fd, "web"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("an unknown field: %v", err)
	}
}
