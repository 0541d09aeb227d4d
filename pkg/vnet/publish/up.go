package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// Up has a guest's ports lead to it that starts, and keeps from it what its isolated
// interfaces are to be kept from, in place of what there was of the guest before. With
// neither it does nothing. program is sysct-net's path and pid the guest's init: the relay
// is run by the one and ends with the other. After an error nothing of the guest's is
// published. A port that is somebody's is a *nft.TakenError.
func Up(ctx context.Context, s *vnet.Setup, program string, pid int) error {
	err := StopRelay(ctx, s) // of a boot before
	if err == nil {
		err = check(s, nil, nil)
	}
	if err == nil {
		err = nft.GuestUp(ctx, s.Tag, s.RunDir, nft.GuestOf(s))
	}
	if err == nil {
		err = startRelay(ctx, s, program, pid)
	}
	if err != nil {
		return errors.Join(err, Down(ctx, s))
	}
	return nil
}

// Change has other ports lead to a guest that runs: to's instead of from's. A relay that
// runs for the same ports runs on, with its connections. After an error from's are published
// as they were. A program of the host that listens on a port that the guest had already
// takes nothing away from it, and is told to warn. from and to may be the same: then what
// somebody has taken away of it is made again.
func Change(ctx context.Context, from, to *vnet.Setup, program string, pid int, warn func(string)) error {
	// Of a change that was broken off only what is kept says what there is.
	was, err := nft.GuestKept(to.RunDir, to.Guest)
	if err != nil {
		return err
	}
	if err := check(to, slices.Concat(from.Publish, was.Published), warn); err != nil {
		return err
	}
	if err := nft.GuestUp(ctx, to.Tag, to.RunDir, nft.GuestOf(to)); err != nil {
		return err
	}
	runs, err := relayRuns(to, pid)
	if err == nil && !runs {
		if err = StopRelay(ctx, to); err == nil {
			err = startRelay(ctx, to, program, pid)
		}
	}
	if err == nil || from == to {
		return err
	}
	back := nft.GuestUp(ctx, from.Tag, from.RunDir, nft.GuestOf(from))
	if !slices.Equal(from.Publish, to.Publish) {
		back = errors.Join(back, StopRelay(ctx, from), startRelay(ctx, from, program, pid))
	}
	return errors.Join(err, back)
}

// Down takes back what Up did. There may be nothing of it.
func Down(ctx context.Context, s *vnet.Setup) error {
	return errors.Join(StopRelay(ctx, s), nft.GuestDown(ctx, s.Tag, s.RunDir, s.Guest))
}

// check refuses ports that lead nowhere, and those that a program of the host has, but for
// those that the guest has already: of these it warns.
func check(s *vnet.Setup, had []vnet.Publish, warn func(string)) error {
	ours := bridgeAddresses(s)
	for _, p := range s.Publish {
		if !p.Guest4.IsValid() && !p.Guest6.IsValid() {
			return fmt.Errorf("cannot publish port %d/%s: guest %s has no address that is known before it asks for one", p.Port, p.Proto, s.Guest)
		}
		has := slices.ContainsFunc(had, func(o vnet.Publish) bool { return includes(o, p) })
		if slices.ContainsFunc(had, func(o vnet.Publish) bool { return o.Loopback && o.Proto == p.Proto && o.Port == p.Port }) {
			p.Loopback = false // there it is the guest's own relay that listens
		}
		err := free(p, ours)
		switch {
		case err == nil:
		case has:
			warn(err.Error() + ", and nothing from elsewhere comes to it")
		default:
			return err
		}
	}
	return nil
}

// includes says whether who has one port of the host has another, wherever they lead.
func includes(had, p vnet.Publish) bool {
	return had.Proto == p.Proto && had.Port == p.Port && (had.Address == p.Address || !had.Address.IsValid()) && (had.Loopback || !p.Loopback)
}
