package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/nft"
)

// Up has a guest's ports lead to it, and keeps from it what its isolated interfaces are
// to be kept from, in place of what there was of the guest before. With neither it does
// nothing. A relay that runs for the same ports runs on, with its connections. program is sysct-net's path and pid the guest's init: the relay is run by the
// one and ends with the other. After an error nothing of the guest's is published.
// A port that is somebody's is a *nft.TakenError.
func Up(ctx context.Context, s *vnet.Setup, program string, pid int) error {
	g := nft.GuestOf(s)
	runs, err := relayRuns(s, pid)
	if err != nil {
		return err
	}
	if !runs {
		if err := StopRelay(ctx, s); err != nil {
			return err
		}
	}
	if err := check(s, runs); err != nil {
		return errors.Join(err, Down(ctx, s))
	}
	err = nft.GuestUp(ctx, s.Tag, s.RunDir, g)
	if err == nil && !runs {
		err = startRelay(ctx, s, program, pid)
	}
	if err != nil {
		return errors.Join(err, Down(ctx, s))
	}
	return nil
}

// Down takes back what Up did. There may be nothing of it.
func Down(ctx context.Context, s *vnet.Setup) error {
	return errors.Join(StopRelay(ctx, s), nft.GuestDown(ctx, s.Tag, s.RunDir, s.Guest))
}

// check refuses ports that lead nowhere, and those that a program of the host has. The
// relay that runs has those on loopback.
func check(s *vnet.Setup, relayRuns bool) error {
	ours := bridgeAddresses(s)
	for _, p := range s.Publish {
		p.Loopback = p.Loopback && !relayRuns
		if !p.Guest4.IsValid() && !p.Guest6.IsValid() {
			return fmt.Errorf("cannot publish port %d/%s: guest %s has no address that is known before it asks for one", p.Port, p.Proto, s.Guest)
		}
		if err := free(p, ours); err != nil {
			return err
		}
	}
	return nil
}
