package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files are those of the package that aren't manual pages or documents, with their modes.
func files() map[string]string {
	return map[string]string{
		"./etc/sysct/sysct.toml":                           "-rw-r--r--",
		"./etc/sysct/templates/":                           "drwxr-xr-x",
		"./usr/bin/sysct":                                  "-rwxr-xr-x",
		"./usr/lib/sysct/sysct-helper":                     "-rwxr-xr-x",
		"./usr/lib/sysct/sysct-net":                        "-rwxr-xr-x",
		"./usr/lib/sysctl.d/50-sysct.conf":                 "-rw-r--r--",
		"./usr/lib/tmpfiles.d/sysct.conf":                  "-rw-r--r--",
		"./usr/share/bash-completion/completions/sysct":    "-rw-r--r--",
		"./usr/share/fish/vendor_completions.d/sysct.fish": "-rw-r--r--",
		"./usr/share/lintian/overrides/sysct":              "-rw-r--r--",
		"./usr/share/zsh/vendor-completions/_sysct":        "-rw-r--r--",
		"./usr/share/doc/sysct/copyright":                  "-rw-r--r--",
		"./usr/share/doc/sysct/changelog.Debian.gz":        "-rw-r--r--",
		"./usr/share/doc/sysct/changelog.gz":               "-rw-r--r--",
		"./usr/share/doc/sysct/README.md.gz":               "-rw-r--r--",
		"./usr/lib/systemd/system/sysct-dns@.service":      "-rw-r--r--",
		"./usr/lib/systemd/system/sysct.service":           "-rw-r--r--",
		"./usr/lib/systemd/system/sysct@.service":          "-rw-r--r--",
	}
}

func checkContent(t *testing.T, deb, tree string) {
	want := files()
	for line := range strings.Lines(run(t, "dpkg-deb", "-c", deb)) {
		f := strings.Fields(line)
		mode, owner, name := f[0], f[1], f[5]
		if owner != "root/root" || mode[0] == 'd' && mode != "drwxr-xr-x" || mode[0] != 'd' && mode != "-rw-r--r--" && mode != "-rwxr-xr-x" {
			t.Errorf("%s is %s of %s", name, mode, owner)
		}
		wanted, ok := want[name]
		if ok && wanted != mode {
			t.Errorf("%s has the mode %s, want %s", name, mode, wanted)
		}
		delete(want, name)
		known := mode[0] == 'd' || strings.HasPrefix(name, "./usr/share/man/man") || strings.HasPrefix(name, "./usr/lib/systemd/system/sysct")
		if !ok && !known {
			t.Errorf("nobody asked for %s", name)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	control := t.TempDir()
	run(t, "dpkg-deb", "-e", deb, control)
	if got := read(t, filepath.Join(control, "conffiles")); got != "/etc/sysct/sysct.toml\n" {
		t.Errorf("the configuration files are %q", got)
	}
	cmd := exec.Command("md5sum", "--check", "--strict", "--quiet", filepath.Join(control, "md5sums"))
	cmd.Dir = tree
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("md5sums: %v\n%s", err, out)
	}
	if sums := read(t, filepath.Join(control, "md5sums")); !strings.Contains(sums, " usr/bin/sysct\n") {
		t.Errorf("md5sums has no program:\n%s", sums)
	}
	checkCopyright(t, tree)
}

// checkCopyright: every module that is linked is named with its license.
func checkCopyright(t *testing.T, tree string) {
	text := read(t, filepath.Join(tree, "usr/share/doc/sysct/copyright"))
	for line := range strings.Lines(run(t, "go", "version", "-m", filepath.Join(tree, "usr/bin/sysct"))) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "dep" && !strings.Contains(text, "\nComment: has "+f[1]+"\n") {
			t.Errorf("the copyright doesn't name %s", f[1])
		}
	}
	if strings.Contains(text, "Copyright: \n") || !strings.Contains(text, "has the Go standard library") {
		t.Errorf("copyright:\n%s", text)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkManual: man finds the pages and shows them.
func checkManual(t *testing.T, tree string) {
	show := func(page string) string {
		cmd := exec.Command("man", "-M", filepath.Join(tree, "usr/share/man"), page)
		cmd.Env = append(os.Environ(), "MANPAGER=cat", "MANWIDTH=100", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("man %s: %v", page, err)
		}
		return string(out)
	}
	for page, text := range map[string]string{
		"sysct": "run whole Linux systems as guests", "sysct-start": "sysct start", "sysct-config": "limits", "sysct.toml": "state_dir",
	} {
		if out := show(page); !strings.Contains(out, text) {
			t.Errorf("man %s doesn't say %q:\n%s", page, text, out)
		}
	}
	for line := range strings.Lines(run(t, filepath.Join(tree, "usr/bin/sysct"), "__complete", "help", "")) {
		verb, about, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue // not a verb but a number for the shell
		}
		if _, err := os.Stat(filepath.Join(tree, "usr/share/man/man1/sysct-"+verb+".1.gz")); err != nil && verb != "help" {
			t.Errorf("%s (%s) has no page: %v", verb, about, err)
		}
	}
}

// checkCompletion has three shells load their scripts, and bash and fish use them.
func checkCompletion(t *testing.T, tree string) {
	share := filepath.Join(tree, "usr/share")
	shell := func(name, script string, args ...string) []string {
		cmd := exec.Command(name, append(args, "-c", script)...)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(tree, "usr/bin")+":"+os.Getenv("PATH"), "SHARE="+share, "HOME="+t.TempDir())
		out, err := cmd.Output() // bash complains that no key was pressed
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return strings.Fields(string(out))
	}
	// As bash-completion loads it when the Tab key is pressed behind "sysct fre".
	bash := shell("bash", `. /usr/share/bash-completion/bash_completion
		. "$SHARE/bash-completion/completions/sysct"
		complete -p sysct >/dev/null
		COMP_LINE='sysct fre' COMP_POINT=9 COMP_WORDS=(sysct fre) COMP_CWORD=1 COMP_TYPE=9
		__start_sysct && echo "${COMPREPLY[@]}"`, "--norc")
	if !slices.Equal(bash, []string{"freeze"}) {
		t.Errorf("bash completes %q", bash)
	}
	fish := shell("fish", `source $SHARE/fish/vendor_completions.d/sysct.fish; complete -C 'sysct fre'`, "--no-config")
	if len(fish) == 0 || fish[0] != "freeze" {
		t.Errorf("fish completes %q", fish)
	}
	zsh := shell("zsh", `fpath=($SHARE/zsh/vendor-completions $fpath); autoload -U compinit; compinit -u -D
		print $_comps[sysct]; autoload +X _sysct && whence -w _sysct`, "-f")
	if !slices.Equal(zsh, []string{"_sysct", "_sysct:", "function"}) {
		t.Errorf("zsh knows %q", zsh)
	}
}
