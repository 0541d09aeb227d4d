package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/link"
)

// errGivenUp is a launch that ended before the guest had a namespace.
var errGivenUp = errors.New("the launch was given up")

// up makes a guest's network.
func up(in *bufio.Reader) error {
	setup, err := readSetup(in)
	if err != nil {
		return err
	}
	s, err := link.Open(setup)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := bringUp(setup); err != nil {
		return err
	}
	if err := s.Prepare(); err != nil {
		return err
	}
	pid, err := readPid(in)
	if errors.Is(err, io.EOF) {
		return errGivenUp
	}
	if err != nil {
		return err
	}
	if err := s.Enter(pid); err != nil {
		return err
	}
	if err := s.Make(); err != nil {
		return err
	}
	if err := publish(setup, pid); err != nil {
		return errors.Join(err, s.Remove())
	}
	return nil
}

// down takes away what is on the host's side.
func down(in *bufio.Reader) error {
	setup, err := readSetup(in)
	if err != nil {
		return err
	}
	s, err := link.Open(setup)
	if err != nil {
		return err
	}
	defer s.Close()
	return errors.Join(unpublish(setup), s.Remove())
}

// change goes from one setup to another in a guest that runs.
func change(in *bufio.Reader) error {
	from, to, pid, err := readChange(in)
	if err != nil {
		return err
	}
	lock, err := alone(to)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := bringUp(to); err != nil {
		return err
	}
	s, err := link.Open(to)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Enter(pid); err != nil {
		return err
	}
	if err := s.Change(from, to); err != nil {
		return err
	}
	if err := republish(from, to, pid); err != nil {
		return errors.Join(err, s.Change(to, from))
	}
	return nil
}

// readChange reads two setups of a guest and its process.
func readChange(in *bufio.Reader) (from, to *vnet.Setup, pid int, err error) {
	if from, err = readSetup(in); err != nil {
		return nil, nil, 0, err
	}
	if to, err = readSetup(in); err != nil {
		return nil, nil, 0, err
	}
	if pid, err = readPid(in); err != nil {
		return nil, nil, 0, err
	}
	// One without interfaces says nothing of whose it is.
	if to.Guest == "" {
		*to = empty(from)
	} else if from.Guest == "" {
		*from = empty(to)
	}
	return from, to, pid, nil
}

// empty is a setup of the same guest with nothing in it.
func empty(s *vnet.Setup) vnet.Setup {
	return vnet.Setup{Tag: s.Tag, Guest: s.Guest, StateDir: s.StateDir, RunDir: s.RunDir, NetsDir: s.NetsDir, HostDir: s.HostDir, Units: s.Units}
}

// mend makes anew what is gone of a running guest's network, and says what that was.
func mend(in *bufio.Reader) error {
	setup, err := readSetup(in)
	if err != nil {
		return err
	}
	pid, err := readPid(in)
	if err != nil {
		return err
	}
	lock, err := alone(setup)
	if err != nil {
		return err
	}
	defer lock.Close()
	up := ofUp(setup)
	s, err := link.Open(up)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := bringUp(up); err != nil {
		return err
	}
	if err := s.Enter(pid); err != nil {
		return err
	}
	mended, err := s.Mend()
	if len(mended) > 0 {
		fmt.Println("mended " + strings.Join(mended, " "))
	}
	return errors.Join(err, republish(setup, setup, pid))
}
