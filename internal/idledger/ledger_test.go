package idledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func ledger(t *testing.T, pools ...Range) (*Ledger, string) {
	t.Helper()
	dir := t.TempDir()
	if len(pools) == 0 {
		pools = []Range{{defaultBase, defaultEnd}}
	}
	return &Ledger{Dir: filepath.Join(dir, ".host"), Pools: pools}, dir
}

func guestDir(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParallelAllocationsAreDisjoint(t *testing.T) {
	l, dir := ledger(t)
	var mu sync.Mutex
	seen := map[uint32]string{}
	var wg sync.WaitGroup
	for i := range 50 {
		name := guestDir(t, dir, fmt.Sprint("g", i))
		wg.Go(func() {
			e, err := l.Allocate(context.Background(), name)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if other, ok := seen[e.Base]; ok {
				t.Errorf("%s and %s both got %d", name, other, e.Base)
			}
			seen[e.Base] = name
		})
	}
	wg.Wait()
	for base := range seen {
		if (base-defaultBase)%Size != 0 || base >= defaultBase+50*Size {
			t.Errorf("base %d is not the next free one", base)
		}
	}
}

func TestRangeIsKeptFreedAndReused(t *testing.T) {
	ctx := context.Background()
	l, dir := ledger(t)
	a, b := guestDir(t, dir, "a"), guestDir(t, dir, "b")
	first, _ := l.Allocate(ctx, a)
	again, _ := l.Allocate(ctx, a)
	second, _ := l.Allocate(ctx, b)
	if first != again || second.Base != first.Base+Size {
		t.Fatalf("got %v, %v, %v", first, again, second)
	}
	if err := l.Free(ctx, a); err != nil {
		t.Fatal(err)
	}
	third, _ := l.Allocate(ctx, guestDir(t, dir, "c"))
	if third.Base != first.Base {
		t.Errorf("the freed range %v is not used again: %v", first, third)
	}
	// A guest whose directory was removed by hand gives its range back.
	os.Remove(b)
	l.Free(ctx, filepath.Join(dir, "c"))
	l.Allocate(ctx, guestDir(t, dir, "d"))
	fourth, _ := l.Allocate(ctx, guestDir(t, dir, "e"))
	if fourth.Base == second.Base {
		t.Errorf("the range %v of a guest that isn't to be seen was given away", second)
	}
	if gone, err := l.Prune(ctx, dir, false); err != nil || len(gone) != 1 || gone[0].Guest != b {
		t.Errorf("pruned %v, %v", gone, err)
	}
	fifth, _ := l.Allocate(ctx, guestDir(t, dir, "f"))
	if fifth.Base != second.Base {
		t.Errorf("the range of the removed guest %v is not used again: %v", second, fifth)
	}
}

func TestAGuestThatIsBeingMadeKeepsItsRange(t *testing.T) {
	ctx := context.Background()
	l, dir := ledger(t)
	making := filepath.Join(dir, "a")
	if err := os.Mkdir(Building(making), 0o700); err != nil {
		t.Fatal(err)
	}
	first, _ := l.Allocate(ctx, making)
	second, _ := l.Allocate(ctx, guestDir(t, dir, "b"))
	if first.Base == second.Base {
		t.Errorf("both got %v", first)
	}
}

func TestClaim(t *testing.T) {
	ctx := context.Background()
	l, dir := ledger(t)
	a, b := guestDir(t, dir, "a"), guestDir(t, dir, "b")
	e, _ := l.Allocate(ctx, a)
	if err := l.Claim(ctx, a, e.Base, e.Size); err != nil {
		t.Errorf("one's own range: %v", err)
	}
	var overlap *OverlapError
	for _, base := range []uint32{e.Base, e.Base + 1, e.Base - 1} {
		if err := l.Claim(ctx, b, base, Size); !errors.As(err, &overlap) || !strings.Contains(err.Error(), a) {
			t.Errorf("a range of another guest's: %v", err)
		}
	}
	if err := l.Claim(ctx, b, 1000, Size); err == nil {
		t.Error("the host's own ids can be claimed")
	}
	if err := l.Claim(ctx, b, e.Base+Size, Size); err != nil {
		t.Errorf("a free range: %v", err)
	}
	if third, _ := l.Allocate(ctx, guestDir(t, dir, "c")); third.Base != e.Base+2*Size {
		t.Errorf("a claimed range was given away: %v", third)
	}
}

func TestFullAndDamagedLedger(t *testing.T) {
	ctx := context.Background()
	l, dir := ledger(t, Range{1000, 1000 + Size})
	if _, err := l.Allocate(ctx, guestDir(t, dir, "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Allocate(ctx, guestDir(t, dir, "b")); !errors.Is(err, ErrFull) {
		t.Errorf("a full ledger says %v", err)
	}
	for text, want := range map[string]string{"": "cannot read id ledger", "{": "cannot read", `{"version":2}`: "version 2"} {
		os.WriteFile(filepath.Join(l.Dir, "ids.json"), []byte(text), 0o600)
		if _, err := l.Allocate(ctx, guestDir(t, dir, "b")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ledger %q: %v, want %q", text, err, want)
		}
	}
}

func TestHostPools(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.WriteFile(path, []byte(text), 0o644)
		return path
	}
	missing := filepath.Join(dir, "none")
	for _, c := range []struct{ uid, gid, want string }{
		{missing, missing, "[{1000000 2000000000}]"},
		{write("a", "root:2000000:131072\nuser:100000:65536\n"), write("b", "root:2000000:131072\n"), "[{2000000 2131072}]"},
		{write("c", "sysct:5000000:65536\n"), write("d", "root:5000001:65536\n"), "[{1000000 2000000000}]"},
		{write("e", "user:1000000:65536\nbad line\n"), missing, "[{1065536 2000000000}]"},
	} {
		got, err := hostPools(c.uid, c.gid)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("pools of %s, %s: %v %v, want %s", c.uid, c.gid, got, err, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	ctx := context.Background()
	l, dir := ledger(t, Range{1000000, 1000000 + 3*Size}, Range{5000000, 5000000 + Size - 1})
	if used, left, err := l.Count(); err != nil || len(used) != 0 || left != 3 {
		t.Errorf("an empty ledger: %v %d %v", used, left, err)
	}
	if _, err := os.Lstat(l.Dir); err == nil {
		t.Error("counting makes the ledger")
	}
	l.Allocate(ctx, guestDir(t, dir, "a"))
	l.Claim(ctx, guestDir(t, dir, "b"), 9000000, Size)
	if used, left, err := l.Count(); err != nil || len(used) != 2 || left != 2 {
		t.Errorf("with one inside and one outside: %v %d %v", used, left, err)
	}
	if _, left, err := (&Ledger{Dir: l.Dir}).Count(); err != nil || left == 0 {
		t.Errorf("with the host's own ranges: %d %v", left, err)
	}
}
