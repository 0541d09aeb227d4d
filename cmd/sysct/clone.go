package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
)

type cloneOptions struct {
	guest.CloneOptions
	start bool
}

const cloneLong = `Make a guest as a copy of another one.

The copy is whole: the guest that it was made from can be changed and destroyed. With
-s nothing is copied: on overlay and on btrfs the two share what they have until one
of them changes it, which is as independent. A running guest is frozen for the time
of the copy. The copy gets an identity of its own: machine id, host name, ssh host
keys, MAC addresses, DHCP identity and random seed, and isn't protected or ephemeral
because the other is.`

func newClone(a *app) *cobra.Command {
	o := &cloneOptions{}
	cmd := &cobra.Command{
		Use: "clone GUEST NEW", Aliases: []string{"copy"}, Short: "Make a guest as a copy of another", Long: cloneLong,
		Example: "  sysct clone web web2\n  sysct clone -s golden test1 --ephemeral --start",
		Args:    twoGuests, ValidArgsFunction: a.guests(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runClone(cmd, a, o, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.Snapshot, "snapshot", "s", false, "share instead of copying, on overlay and btrfs")
	f.BoolVarP(&o.Ephemeral, "ephemeral", "e", false, "destroy the new guest when it stops")
	f.BoolVar(&o.start, "start", false, "start it as well")
	f.BoolVar(&o.Keep.ID, "keep-id", false, "keep the machine id, and the DHCP identity and credentials' key that go with it")
	f.BoolVar(&o.Keep.Name, "keep-name", false, "keep the host name")
	f.BoolVar(&o.Keep.MAC, "keep-mac", false, "keep the MAC addresses")
	f.BoolVar(&o.Keep.SSH, "keep-ssh", false, "keep the ssh host keys")
	return cmd
}

func runClone(cmd *cobra.Command, a *app, o *cloneOptions, from, to string) error {
	m, err := a.manager()
	if err != nil {
		return err
	}
	report, err := m.Clone(cmd.Context(), from, to, o.CloneOptions)
	if err != nil {
		return about(from, err)
	}
	if !a.quiet {
		a.sayCost(from, report)
	}
	if !o.start {
		return nil
	}
	return a.startNew(cmd.Context(), m, to, guest.StartOptions{})
}

// sayCost says what a clone cost that wasn't free.
func (a *app) sayCost(from string, r *guest.CloneReport) {
	still := ""
	if r.Still > 0 {
		still = fmt.Sprintf("it held still for %d ms", (r.Still+time.Millisecond-1)/time.Millisecond)
	}
	switch {
	case r.Copied != "" && still != "":
		fmt.Fprintf(a.err, "sysct: clone %s: %s: %s\n", from, r.Copied, still)
	case r.Copied+still != "":
		fmt.Fprintf(a.err, "sysct: clone %s: %s\n", from, r.Copied+still)
	}
}
