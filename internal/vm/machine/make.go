package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// make makes a Base under another name, which is changed last.
func (b base) make(ctx context.Context, r *recipe, s Source) error {
	tmp := base{filepath.Join(filepath.Dir(b.dir), ".new-"+r.key())}
	if err := os.RemoveAll(tmp.dir); err != nil {
		return err
	}
	if err := os.Mkdir(tmp.dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(tmp.dir) // nothing is there after the rename
	tree := filepath.Join(tmp.dir, "tree")
	steps := []struct {
		name string
		do   func() error
	}{
		{"install packages", func() error { return tool(ctx, s.Log, bootstrap(r, tree, s.Mirrors)...) }},
		{"install the agent", func() error { return tool(ctx, s.Log, "install", "-D", s.Agent, tree+"/usr/lib/sysct-vm/agent") }},
		{"set up the tree", func() error { return tool(ctx, s.Log, "sh", "-c", r.Setup, "sh", tree) }},
		{"take the kernel", func() error { return takeKernel(tree, tmp) }},
		{"write the disk", func() error { return WriteImage(ctx, tree, tmp.disk(), room) }},
		{"remove the tree", func() error { return os.RemoveAll(tree) }},
		{"boot", func() error { return tmp.boot(ctx, s.Log) }},
		{"rename it", func() error { return os.Rename(tmp.dir, b.dir) }},
	}
	for _, step := range steps {
		fmt.Fprintf(s.Steps, "making a machine of %s: %s\n", r.Release, step.name)
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// bootstrap is the command that makes the tree. A mirror may be out of date.
func bootstrap(r *recipe, tree string, mirrors []string) []string {
	return append([]string{
		"mmdebstrap", "--variant=minbase", "--format=directory", "--aptopt=Acquire::Check-Valid-Until \"false\"",
		"--include=" + strings.Join(r.Packages, ","), r.Release, tree,
	}, mirrors...)
}

// tool runs a program. What it says goes to the log, and the end of it into the error.
func tool(ctx context.Context, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var end tail
	cmd.Stdout = io.MultiWriter(log, &end)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", args[0], err), errors.New(end.text))
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct{ text string }

func (t *tail) Write(data []byte) (int, error) {
	t.text += string(data)
	t.text = t.text[max(0, len(t.text)-2000):]
	return len(data), nil
}

// takeKernel moves kernel and initrd out of the tree: there is one of each.
func takeKernel(tree string, b base) error {
	for prefix, to := range map[string]string{"vmlinuz-": b.kernel(), "initrd.img-": b.initrd()} {
		found, err := filepath.Glob(tree + "/boot/" + prefix + "*")
		if err != nil || len(found) != 1 {
			return fmt.Errorf("%q is not one %s: %w", found, prefix, err)
		}
		if err := os.Rename(found[0], to); err != nil {
			return err
		}
	}
	return nil
}

// room, in bytes, is what a machine has for guests of its own.
const room = 6 << 30

// boot boots the machine's disk, as it will be found by those who load the state that is saved then.
func (b base) boot(ctx context.Context, log io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, errors.New("the machine takes too long to boot"))
	defer cancel()
	run := filepath.Join("/run", "sysct-vm", fmt.Sprintf(".make-%d", os.Getpid()))
	m, err := launch(Options{Dir: run}, append(machineArgs(b), hostArgs(run, b.disk(), true, nil)...))
	if err != nil {
		return err
	}
	ctx, stop := m.whileItLives(ctx)
	defer stop()
	err = m.save(ctx, b.state())
	if err != nil {
		console, _ := os.ReadFile(m.Console())
		log.Write(console)
		err = errors.Join(err, m.Log())
	}
	return errors.Join(err, m.Stop())
}

// warm waits for the boot's end and runs once what tests begin with, so that it is in memory.
const warm = `systemctl is-system-running --wait
systemctl --failed --no-legend --plain
journalctl -b -n 1 >/dev/null
udevadm settle
sync`

// save waits until the system is up and saves the machine's state.
func (m *Machine) save(ctx context.Context, path string) error {
	state, err := m.Output(ctx, "sh", "-c", warm)
	if err == nil && strings.TrimSpace(state) != "running" {
		err = fmt.Errorf("systemd is %s", state)
	}
	if err != nil {
		return err
	}
	q, err := dialQMP(ctx, m.Dir)
	if err != nil {
		return err
	}
	defer q.conn.Close()
	if err := q.do("stop", nil, nil); err != nil {
		return err
	}
	if err := q.do("migrate-set-parameters", map[string]any{"max-bandwidth": int64(1) << 40}, nil); err != nil {
		return err
	}
	if err := q.do("migrate", map[string]any{"uri": "exec:cat >" + path}, nil); err != nil {
		return err
	}
	return q.migrated(ctx)
}
