package guest_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestWhyNamesTheStep has each of some steps of a start fail.
func TestWhyNamesTheStep(t *testing.T) {
	failing := filepath.Join(t.TempDir(), "sysct-helper")
	if err := testprograms.Build(failing, "sysct-helper", "failpoints"); err != nil {
		t.Fatal(err)
	}
	// The last one fails before there is a monitor that could note it.
	for step, named := range map[string]string{"clone": "clone", "mount rootfs": "mount rootfs", "store": "store", "listen": "start guest"} {
		t.Run(step, func(t *testing.T) {
			t.Setenv("SYSCT_FAILPOINT", "error:"+step)
			ctx := context.Background()
			in := newInstance(t)
			in.create("tiny", "busybox", "dir")
			m, err := guest.Open(guest.Options{Dirs: in.dirs, Helper: failing, Network: "none"})
			if err != nil {
				t.Fatal(err)
			}
			var failed *guest.StartError
			if err := m.Start(ctx, "tiny", guest.StartOptions{}); !errors.As(err, &failed) {
				t.Fatalf("start: %v", err)
			}
			w, err := m.Why(ctx, "tiny")
			if err != nil || w.Verdict != guest.VerdictFailed || w.Boot == nil || w.Boot.Failure == nil {
				t.Fatalf("why: %+v, %v", w, err)
			}
			if f := w.Boot.Failure; f.Step != named || f.Message != "failpoint before "+step {
				t.Errorf("failure: %+v", f)
			}
			if log := strings.Join(w.Log, "\n"); !strings.Contains(log, "cannot start: "+step) && step != "listen" {
				t.Errorf("log: %q", log)
			}
		})
	}
}

// TestWhyShowsOneBoot: of a guest that is started again and again only the last.
func TestWhyShowsOneBoot(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	in.configure("tiny", "restart = \"on-failure\"\n[init]\ncmd = [\"/bin/sh\", \"-c\", \"echo x >>/count; echo boot $(wc -l </count); exit 1\"]\n")
	in.start("tiny")
	var boot *state.Boot
	eventually(t, "it has failed twice", func() error {
		w, err := in.Why(ctx, "tiny")
		if err == nil && (w.Boot == nil || w.Boot.Number < 2) {
			err = fmt.Errorf("%+v", w)
		}
		if err == nil {
			boot = w.Boot
		}
		return err
	})
	if want := fmt.Sprint("boot ", boot.Number); len(boot.Console) != 1 || boot.Console[0] != want {
		t.Errorf("the console shows %q, want %q", boot.Console, want)
	}
}
