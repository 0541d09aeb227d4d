package main

import (
	"bufio"
	"context"
	"fmt"
	"slices"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/networks"
	publishing "github.com/sysct/sysct/pkg/vnet/publish"
)

// store is the networks of a guest's instance.
func store(s *vnet.Setup) *networks.Store {
	return &networks.Store{Tag: s.Tag, StateDir: s.StateDir, RunDir: s.RunDir, Dir: s.NetsDir, HostDir: s.HostDir, Units: s.Units, Warn: warn}
}

// bringUp has the networks up that the interfaces are on. It is quick if they are.
func bringUp(s *vnet.Setup) error {
	for i := range s.Networks {
		if err := store(s).Up(context.Background(), &s.Networks[i]); err != nil {
			return err
		}
	}
	return nil
}

// ofUp is a setup without the networks that were taken down, and what is on them: who did so
// wants them to stay down.
func ofUp(s *vnet.Setup) *vnet.Setup {
	up := *s
	down := func(name string) bool { return name != "" && !store(s).IsUp(name) }
	up.Networks = slices.DeleteFunc(slices.Clone(s.Networks), func(n vnet.Network) bool { return down(n.Name) })
	up.Interfaces = slices.DeleteFunc(slices.Clone(s.Interfaces), func(i vnet.Interface) bool { return down(i.Network) })
	return &up
}

// release frees the addresses of a guest that is gone: an ephemeral one, which its monitor
// destroys.
func release(in *bufio.Reader) error {
	setup, err := readSetup(in)
	if err != nil {
		return err
	}
	return store(setup).Release(context.Background(), setup.Guest)
}

// publish has the host's ports lead to the guest's, and no others.
func publish(s *vnet.Setup, pid int) error {
	return publishing.Up(context.Background(), s, self, pid)
}

// republish has them lead to those of a running guest as it is to be.
func republish(from, to *vnet.Setup, pid int) error {
	return publishing.Change(context.Background(), from, to, self, pid, warn)
}

func unpublish(s *vnet.Setup) error { return publishing.Down(context.Background(), s) }

// self is this program.
const self = "/proc/self/exe"

// warn says what is wrong, and no reason to fail.
func warn(text string) { fmt.Println("warning: " + text) }
