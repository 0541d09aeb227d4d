package idledger

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestALargerRange(t *testing.T) {
	ctx := context.Background()
	l, dir := ledger(t, Range{defaultBase, defaultBase + 4*Size})
	a, b := guestDir(t, dir, "a"), guestDir(t, dir, "b")
	first, err := l.Allocate(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	// Both are its own until it has noted the new one.
	second, err := l.AllocateSize(ctx, a, 2*Size)
	if err != nil || second.Size != 2*Size || overlap(first, second) {
		t.Fatalf("%v after %v: %v", second, first, err)
	}
	if again, err := l.AllocateSize(ctx, a, 2*Size); err != nil || again != second {
		t.Errorf("asked again: %v, %v", again, err)
	}
	if err := l.Claim(ctx, a, first.Base, first.Size); err != nil {
		t.Errorf("the first is still its own: %v", err)
	}
	if err := l.Room(a, 2*Size); err != nil {
		t.Errorf("room for what it has: %v", err)
	}
	if err := l.Room(b, 2*Size); !errors.Is(err, ErrFull) {
		t.Errorf("room for another large one: %v", err)
	}
	if _, err := l.AllocateSize(ctx, b, 2*Size); !errors.Is(err, ErrFull) {
		t.Errorf("another large one: %v", err)
	}
	if err := l.Settle(ctx, a, second.Base); err != nil {
		t.Fatal(err)
	}
	if other, err := l.Allocate(ctx, b); err != nil || other.Base != first.Base {
		t.Errorf("the first isn't used again: %v, %v", other, err)
	}
	var overlapping *OverlapError
	if err := l.Claim(ctx, a, first.Base, first.Size); !errors.As(err, &overlapping) {
		t.Errorf("the first is another's: %v", err)
	}
}

func TestPoolsInAGuest(t *testing.T) {
	host := []Range{{defaultBase, defaultEnd}}
	for _, c := range []struct {
		uidMap string
		pools  []Range
		want   []Range
	}{
		{"         0          0 4294967295\n", host, host},
		{"         0    4932160    1048576\n", host, nil},
		{"         0    4932160      65536\n", host, nil},
		{"         0    4932160    1048576\n", []Range{{1 << 17, 1 << 18}}, []Range{{1 << 17, 1 << 18}}},
		{"         0       1000          1\n         1     100000    1114111\n", host, []Range{{defaultBase, 1114112}}},
	} {
		want := c.want
		if own := fromZero(c.uidMap); want == nil && own >= 2*Size && own < defaultBase+Size {
			want = []Range{{Size, own}}
		}
		if got := within(c.pools, fromZero(c.uidMap)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", c.uidMap, got, want)
		}
	}
}

func TestHintInAGuest(t *testing.T) {
	for _, c := range []struct {
		own  uint64
		size uint32
		want string
	}{
		{allIDs, NestingSize, ""},
		{Size, Size, "nesting = true in its configuration gives it more"},
		{Size, NestingSize, "nesting isn't possible two levels deep"},
		{NestingSize, NestingSize, "nesting isn't possible two levels deep"},
		{NestingSize, Size, "nesting gives it no more"},
	} {
		if got := outerHint(c.own, c.size); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%d of %d ids: %q, want %q", c.size, c.own, got, c.want)
		}
	}
}
