package hostkeys

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// ssh-keygen reads the secret half, and finds the public one in it.
func TestKeysAreWhatSSHKeygenReads(t *testing.T) {
	for _, kind := range Kinds() {
		k, err := New(kind, "root@web")
		if err != nil {
			t.Fatal(err)
		}
		path := t.TempDir() + "/key"
		if err := os.WriteFile(path, k.Private, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ssh-keygen", "-y", "-P", "", "-f", path).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != strings.TrimSpace(string(k.Public)) {
			t.Errorf("%s: ssh-keygen finds %q, %v; it is %q", kind, out, err, k.Public)
		}
		// It can sign with it, and the signature is good: the numbers fit together.
		run(t, "", "ssh-keygen", "-Y", "sign", "-q", "-f", path, "-n", "file", path)
		signature, err := os.ReadFile(path + ".sig")
		if err != nil || len(signature) == 0 {
			t.Fatalf("%s: no signature: %v", kind, err)
		}
		run(t, path, "ssh-keygen", "-Y", "check-novalidate", "-q", "-n", "file", "-s", path+".sig")
	}
}

func run(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if stdin != "" {
		f, err := os.Open(stdin)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.Stdin = f
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
}

func TestKeysDiffer(t *testing.T) {
	a, err := New("ed25519", "x")
	if err != nil {
		t.Fatal(err)
	}
	b, err := New("ed25519", "x")
	if err != nil || string(a.Private) == string(b.Private) {
		t.Errorf("twice the same key, %v", err)
	}
	if _, err := New("dsa", "x"); err == nil {
		t.Error("a key of an unknown kind was made")
	}
}
