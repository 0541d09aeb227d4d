package images

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

// busyboxFile is where the binary lies in the guest.
const busyboxFile = "/bin/busybox"

// maxBusybox bounds the binary, in bytes.
const maxBusybox = 64 << 20

// busyboxVersion finds the version in the binary; compiled when first used.
func busyboxVersion() *regexp.Regexp { return regexp.MustCompile(`BusyBox v([0-9][0-9a-z.]{0,20})`) }

func checkBusybox(t *Template) error {
	if t.Busybox == nil || len(t.Busybox.Paths) == 0 || t.Busybox.Package == "" {
		return errors.New(`method "busybox" needs a table [busybox] with paths and package`)
	}
	return nil
}

// completeBusybox chooses the binary. A static one runs in any tree; others miss their libraries there.
func completeBusybox(r *Recipe, _ host) error {
	b := r.template.Busybox
	for _, file := range b.Paths {
		data, err := readBinary(file)
		if err != nil || !isStatic(file) {
			continue
		}
		sum := sha256.Sum256(data)
		r.Source.Busybox, r.Source.BusyboxHash = file, hex.EncodeToString(sum[:])
		if m := busyboxVersion().FindSubmatch(data); m != nil {
			r.Release = string(m[1])
		}
		return nil
	}
	return fmt.Errorf("no static busybox on this host (apt-get install %s)", b.Package)
}

func readBinary(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBusybox {
		return nil, fs.ErrInvalid
	}
	return os.ReadFile(file)
}

// isStatic tells whether the program needs no interpreter of its own, as ld.so.
func isStatic(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	return !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// buildBusybox copies the binary and links its applets.
func buildBusybox(ctx context.Context, b *build) error {
	b.out.stage("building " + b.recipe.String())
	if err := b.copyBusybox(); err != nil {
		return fmt.Errorf("cannot copy %s: %w", b.recipe.Source.Busybox, err)
	}
	list, err := exec.CommandContext(ctx, b.recipe.Source.Busybox, "--list-full").Output()
	if err != nil {
		return fmt.Errorf("cannot list the applets of %s: %w", b.recipe.Source.Busybox, err)
	}
	for _, applet := range strings.Fields(string(list)) {
		if slices.Contains(b.recipe.template.Busybox.Skip, path.Base(applet)) || !fs.ValidPath(applet) || "/"+applet == busyboxFile {
			continue
		}
		if err := link(b.root, Link{"/" + applet, busyboxFile}); err != nil {
			return fmt.Errorf("cannot link applet %s: %w", applet, err)
		}
	}
	if _, err := b.root.Lstat("/sbin/init"); err != nil {
		return fmt.Errorf("%s has no init (apt-get install %s)", b.recipe.Source.Busybox, b.recipe.template.Busybox.Package)
	}
	return nil
}

func (b *build) copyBusybox() error {
	from, err := os.Open(b.recipe.Source.Busybox)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := create(b.root, busyboxFile, 0o755)
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != b.recipe.Source.BusyboxHash {
		err = errors.New("it has just changed")
	}
	return errors.Join(err, to.Close())
}
