package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/pkg/guest"
)

const editLong = `Edit a guest's configuration with $VISUAL, $EDITOR, editor or vi.

What is edited is a copy. It is checked when the editor ends, and takes the place of
config.toml if it is right; otherwise the old one stays, and the editor can be had
again. If somebody else changed the file in the meantime, it stays as that one left
it. A copy that isn't used is kept, and it is said where. If config.toml is missing,
that of a new guest is the copy. An empty copy is refused: it changes nothing.`

// errEmptied keeps an editor that failed, or whose user cleared the text to give up, from
// taking all keys away. The file is left as it is.
var errEmptied = errors.New("the file is empty: nothing was changed")

func newEdit(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "edit NAME", Short: "Edit a guest's configuration", Long: editLong,
		Example: "  sysct edit web\n  EDITOR='sed -i s/512M/1G/' sysct edit web",
		Args:    oneGuest, ValidArgsFunction: a.guests(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runEdit(cmd.Context(), a, args[0]) },
	}
}

func runEdit(ctx context.Context, a *app, name string) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	old, draft, err := m.ConfigDraft(name)
	if err != nil {
		return about(name, err)
	}
	dir, err := os.MkdirTemp("", "sysct-edit-")
	if err != nil {
		return err
	}
	copied := filepath.Join(dir, name+".toml")
	if err := os.WriteFile(copied, draft, 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	change, err := a.editCopy(copied, func(text []byte) (*guest.ConfigChange, error) {
		if string(text) == string(old.Data) {
			return nil, nil
		}
		if len(bytes.TrimSpace(text)) == 0 && len(bytes.TrimSpace(draft)) > 0 {
			return nil, errEmptied
		}
		// A Ctrl-C while the editor ran was meant for the editor.
		return m.ReplaceConfig(context.WithoutCancel(ctx), name, old, text)
	})
	if err != nil {
		if now, reading := os.ReadFile(copied); reading == nil && string(now) != string(draft) && !errors.Is(err, errEmptied) {
			return about(name, fmt.Errorf("%w\nhint: your text is in %s", err, copied))
		}
		return errors.Join(about(name, err), os.RemoveAll(dir))
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if change == nil {
		return a.printf("nothing changed\n")
	}
	return a.printWaiting(name, change)
}

// maxEdited bounds what is read back of an edited file: more is refused anyway.
const maxEdited = 2 << 20

// editCopy runs the editor on the file until save takes what is in it, or the user
// gives up.
func (a *app) editCopy(file string, save func([]byte) (*guest.ConfigChange, error)) (*guest.ConfigChange, error) {
	for {
		if err := a.runEditor(file); err != nil {
			return nil, err
		}
		text, _, err := atomicfile.Read(unix.AT_FDCWD, file, maxEdited)
		if err != nil {
			return nil, err
		}
		change, err := save(text)
		if err == nil || !errors.Is(err, guest.ErrConfig) || !a.editAgain(err) {
			return change, err
		}
	}
}

// editAgain asks what a fault of the text is to lead to; without a terminal nobody
// is there to ask.
func (a *app) editAgain(fault error) bool {
	if !term.IsTerminal(int(a.in.Fd())) || !term.IsTerminal(int(a.err.Fd())) {
		return false
	}
	fmt.Fprintf(a.err, "%s\nEdit it again? [Y/n] ", escape(fault.Error()))
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if errors.Is(err, io.EOF) {
		fmt.Fprintln(a.err)
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "" || answer[0] == 'y')
}

// runEditor runs the user's editor on this terminal until it ends.
func (a *app) runEditor(file string) error {
	editor := a.editor()
	if editor == "" {
		return errors.New("cannot find an editor\nhint: set EDITOR")
	}
	// EDITOR may have arguments, as it may for every program that heeds it.
	cmd := exec.Command("/bin/sh", "-c", editor+` "$1"`, "sysct-edit", file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot edit: %s: %w", editor, err)
	}
	return nil
}

func (a *app) editor() string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if editor := os.Getenv(name); editor != "" {
			return editor
		}
	}
	for _, name := range []string{"editor", "vi"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
