package guest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/guest"
)

const secret = "correct-horse-battery"

func TestCredentialsAreTheGuestRootsAlone(t *testing.T) {
	ctx := context.Background()
	in, d := newInstance(t), newHookDir(t)
	in.create("tiny", "busybox", "overlay")
	big := bytes.Repeat([]byte("0123456789abcdef"), 60<<10)
	if err := errors.Join(os.WriteFile(d.out("big"), big, 0o600), os.WriteFile(d.out("huge"), make([]byte, 1<<20+1), 0o600)); err != nil {
		t.Fatal(err)
	}
	in.configure("tiny", fmt.Sprintf("[credentials]\n\"a.b\" = \"%s\\n\"\nbig = { file = \"%s\" }\nraw.base64 = \"AAH/\"\nempty = \"\"\n", secret, d.out("big")))
	in.start("tiny")
	in.ready("tiny")
	const dir = "/run/host/credentials"
	out, _ := in.run("tiny", "sh", "-c", "cd "+dir+" && stat -c '%n %a %u %g %s' . * && cat a.b && od -An -tx1 raw && md5sum < big && tr '\\0' '\\n' < /proc/1/environ")
	for _, want := range []string{
		". 500 0 0", "a.b 400 0 0 22\n", "big 400 0 0 983040\n", "empty 400 0 0 0\n", "raw 400 0 0 3\n", secret + "\n 00 01 ff\n",
		"CREDENTIALS_DIRECTORY=" + dir + "\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, status, err := in.exec("tiny", guest.ExecOptions{User: "1000", Args: []string{"cat", dir + "/a.b"}}); err != nil || status == 0 {
		t.Errorf("another user of the guest: %q, %d, %v", out, status, err)
	}
	out, status := in.run("tiny", "sh", "-c", "mount -o remount,rw,bind "+dir+"; echo x > "+dir+"/x")
	if status == 0 || !strings.Contains(out, "Read-only") {
		t.Errorf("the guest's root writes: %q, %d", out, status)
	}
	in.noSecret()
	for text, want := range map[string]string{
		"a = { file = \"/nosuch\" }":               "credentials.a: cannot open /nosuch: no such file or directory",
		"a = { file = \"/dev/zero\" }":             "credentials.a: /dev/zero is not a regular file",
		"a = { file = \"" + d.out("huge") + "\" }": "is larger than 1 MiB",
		strings.Repeat("a", 230) + " = { file = \"" + d.out("big") + "\" }\nb = { file = \"" + d.out("big") + "\" }": "all credentials are more than 1048576 bytes",
	} {
		in.configure("tiny", "[credentials]\n"+text+"\n")
		if err := in.Restart(ctx, "tiny", guest.StopOptions{}); !errors.Is(err, guest.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	in.configure("tiny", "")
	if err := in.Restart(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	in.ready("tiny")
	if out, status := in.run("tiny", "ls", dir); status == 0 {
		t.Errorf("without credentials there are %q", out)
	}
}

// noSecret looks for the secret in all that the instance has written but config.toml, and
// in what is shown of the guest.
func (in *instance) noSecret() {
	t := in.t
	for _, dir := range []string{in.dirs.Run, in.dirs.Log, in.dirs.State + "/tiny"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			switch info, _ := e.Info(); {
			case err != nil || !bytes.Contains(data, []byte(secret)):
			case filepath.Base(path) != "config.toml" || info.Mode().Perm() != 0o600:
				t.Errorf("the secret is in %s", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	values, err := in.Config(context.Background(), "tiny", "")
	if text := fmt.Sprintf("%+v", values); err != nil || strings.Contains(text, secret) || strings.Contains(text, "AAH/") || !strings.Contains(text, "(hidden)") {
		t.Errorf("%s, %v", text, err)
	}
	one, err := in.Config(context.Background(), "tiny", `credentials."a.b"`)
	if err != nil || len(one) != 1 || one[0].Text != secret+"\n" {
		t.Errorf("%+v, %v", one, err)
	}
}

// systemd takes them for its own: for units, and for what it sets up at the first boot.
func TestSystemdTakesCredentials(t *testing.T) {
	testimages.Prepare(t, testimages.DebianArgs("trixie"))
	in := newInstance(t)
	in.create("web", "debian", "overlay", testimages.DebianArgs("trixie")...)
	in.configure("web", "[credentials]\nmine = \"of the host\"\n\"tmpfiles.extra\" = \"f /etc/made - - - - by a credential\"\n")
	in.start("web")
	in.ready("web")
	unit := "systemd-run -q --pipe --wait -p LoadCredential=mine sh -c 'cat $CREDENTIALS_DIRECTORY/mine'"
	out, _ := in.run("web", "sh", "-c", "systemd-creds --system list; "+unit+"; echo; cat /etc/made")
	for _, want := range []string{"mine", "of the host\n", "by a credential"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
