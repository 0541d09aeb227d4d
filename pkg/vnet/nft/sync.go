package nft

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/sysct/sysct/pkg/vnet"
)

// Sync renders an instance's table of what its run directory says and loads it, whatever
// is there now; with nothing up and nothing published it takes the table away.
func Sync(ctx context.Context, tag, runDir string) error {
	f, err := open(ctx, runDir)
	if err != nil {
		return err
	}
	defer f.close()
	return f.sync(ctx, tag, true)
}

// Ensure is Sync where the table isn't what was loaded last, and else does nothing: it
// starts no program then.
func Ensure(ctx context.Context, tag, runDir string) error {
	f, err := open(ctx, runDir)
	if err != nil {
		return err
	}
	defer f.close()
	return f.sync(ctx, tag, false)
}

// NetworkUp keeps that a network is up and has the table say so. It is quick for one that
// is in the table as it is.
func NetworkUp(ctx context.Context, tag, runDir string, n *vnet.Network) error {
	if err := check(tag, Content{Networks: []vnet.Network{*n}}); err != nil {
		return err
	}
	return change(ctx, tag, runDir, func(f *files) error { return f.write(networksDir, n.Name, n) })
}

// NetworkDown takes a network out of the table.
func NetworkDown(ctx context.Context, tag, runDir, name string) error {
	return change(ctx, tag, runDir, func(f *files) error {
		_, err := f.remove(networksDir, name)
		return err
	})
}

// GuestUp keeps what the table has of a running guest, and has it there. One of which
// the table has nothing leaves no file and asks the kernel nothing. A *TakenError if
// another guest, of this instance or another, has one of its ports.
func GuestUp(ctx context.Context, tag, runDir string, g Guest) error {
	if g.None() {
		return GuestDown(ctx, tag, runDir, g.Name)
	}
	// Before it is kept: one that can't be rendered would keep all others out.
	if err := check(tag, g.content()); err != nil {
		return err
	}
	return change(ctx, tag, runDir, func(f *files) error {
		if err := f.free(tag, g); err != nil {
			return err
		}
		return f.write(guestsDir, g.Name, g)
	})
}

// free says whether a guest's ports are nobody else's.
func (f *files) free(tag string, g Guest) error {
	c, err := f.read()
	if err != nil {
		return err
	}
	if err := taken(g, claimsOf(c, g.Name)); err != nil || len(g.Published) == 0 {
		return err
	}
	others, err := claimsElsewhere(tag)
	if err != nil {
		return err
	}
	return taken(g, others)
}

// Prune takes out the guests that don't run: their ends were nobody's to see.
func Prune(ctx context.Context, tag, runDir string, runs func(guest string) bool) error {
	if list, err := os.ReadDir(filepath.Join(runDir, ".net", guestsDir)); err != nil || len(list) == 0 {
		return nil // nobody is in it
	}
	return change(ctx, tag, runDir, func(f *files) error {
		return each(filepath.Join(f.dir, guestsDir), func(g Guest) {
			if !runs(g.Name) {
				f.remove(guestsDir, g.Name)
			}
		})
	})
}

// GuestDown takes a guest out of the table.
func GuestDown(ctx context.Context, tag, runDir, name string) error {
	if _, err := os.Lstat(filepath.Join(runDir, stateDir, guestsDir, filepath.Base(name))); os.IsNotExist(err) {
		return nil
	}
	return change(ctx, tag, runDir, func(f *files) error {
		_, err := f.remove(guestsDir, name)
		return err
	})
}

// change changes the files and makes the table follow them.
func change(ctx context.Context, tag, runDir string, do func(*files) error) error {
	f, err := open(ctx, runDir)
	if err != nil {
		return err
	}
	defer f.close()
	if err := do(f); err != nil {
		return err
	}
	return f.sync(ctx, tag, false)
}

func (f *files) sync(ctx context.Context, tag string, always bool) error {
	c, err := f.read()
	if err != nil {
		return err
	}
	if c.empty() {
		os.Remove(filepath.Join(f.dir, loadedFile))
		return Remove(ctx, tag)
	}
	text, err := Table(tag, c)
	if err != nil {
		return err
	}
	rules, err := Table(tag, Content{Networks: c.Networks})
	if err != nil {
		return err
	}
	now := loaded{Rules: digest(rules), Table: digest(text)}
	if !always {
		was, err := f.loaded(tag)
		if err != nil || was.Table == now.Table {
			return err
		}
		if was.Rules == now.Rules {
			if text, err = Refill(tag, c); err != nil {
				return err
			}
		}
	}
	if err := Load(ctx, text); err != nil {
		return err
	}
	if now.Chains, err = fingerprint(tag); err != nil {
		return err
	}
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return f.put("", loadedFile, data)
}

// loaded is what the table was when it was loaded last: digests of the text of its rules
// alone and of all, and the chains that the kernel then had.
type loaded struct {
	Rules  string `json:"rules"`
	Table  string `json:"table"`
	Chains string `json:"chains"`
}

// loaded is nothing if the table isn't there any more with as many rules as it had.
func (f *files) loaded(tag string) (loaded, error) {
	var was loaded
	data, err := os.ReadFile(filepath.Join(f.dir, loadedFile))
	if err != nil || json.Unmarshal(data, &was) != nil {
		return loaded{}, nil // it is loaded anew
	}
	chains, err := fingerprint(tag)
	if err != nil || was.Chains != chains {
		return loaded{}, err
	}
	return was, nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
