package state

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
)

// bootSuffix ends the name of a guest's Boot in the log directory.
const (
	bootSuffix  = ".boot.json"
	bootVersion = 1
)

// Boot is what the monitor notes of a boot that went wrong: it could not be
// started, or its init ended in a way that no init should. The note stays until a
// later boot becomes ready or ends well. It is the content of NAME.boot.json in
// the log directory.
type Boot struct {
	Version int       `json:"version"` // of the schema; WriteBoot sets it
	BootID  string    `json:"boot_id"` // of the host, as in Run
	Number  int       `json:"number"`  // of the boot in its life, from 1
	BeganAt time.Time `json:"began_at"`
	EndedAt time.Time `json:"ended_at"`
	Ready   bool      `json:"ready"` // it had been up before it ended

	Failure  *Failure `json:"failure"`   // init was not executed; nil: it was
	Exit     *Exit    `json:"exit"`      // how init ended; nil: it never ran
	OOMKills int64    `json:"oom_kills"` // processes killed for lack of memory
	Status   string   `json:"status"`    // what init said last of what it does; "": nothing
	Console  []string `json:"console"`   // the last lines of this boot
}

// Failure is the step at which a start failed.
type Failure struct {
	Step    string `json:"step"`
	Call    string `json:"call"`    // the system call; "": none
	Path    string `json:"path"`    // "": none
	Errno   int    `json:"errno"`   // 0: none
	Message string `json:"message"` // the cause alone
}

// BootFile is the name of a guest's Boot in the log directory.
func BootFile(guest string) string { return guest + bootSuffix }

// ReadBoot reads a guest's Boot in the log directory dirfd. A missing file is
// fs.ErrNotExist, one that the program can't have written is refused.
func ReadBoot(dirfd int, guest string) (*Boot, error) {
	var b Boot
	if err := readFile(dirfd, BootFile(guest), bootVersion, &b); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", BootFile(guest), err)
	}
	return &b, nil
}

// WriteBoot replaces a guest's Boot in the log directory dirfd atomically. It
// refuses what ReadBoot would refuse.
func WriteBoot(dirfd int, guest string, b *Boot) error {
	stored := *b
	stored.Version = bootVersion
	stored.BeganAt, stored.EndedAt = b.BeganAt.UTC(), b.EndedAt.UTC()
	if err := stored.check(); err != nil {
		return fmt.Errorf("cannot write %s: %w", BootFile(guest), err)
	}
	return writeFile(atomicfile.Write, dirfd, BootFile(guest), &stored)
}

// RemoveBoot removes a guest's Boot; none is no error.
func RemoveBoot(dirfd int, guest string) error {
	err := unix.Unlinkat(dirfd, BootFile(guest), 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot remove %s: %w", BootFile(guest), err)
	}
	return nil
}

func (b *Boot) check() error {
	switch {
	case b.Number < 1:
		return fmt.Errorf("number: %d is not a boot's", b.Number)
	case (b.Failure == nil) == (b.Exit == nil):
		return errors.New("exit: it has to have this or failure")
	case b.Failure != nil && b.Failure.Step == "":
		return errors.New("failure.step: missing")
	case b.OOMKills < 0:
		return fmt.Errorf("oom_kills: %d is negative", b.OOMKills)
	}
	if err := checkText("status", strings.TrimSpace(b.Status)); err != nil {
		return err
	}
	return b.Exit.check()
}
