package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
)

type createOptions struct {
	guest.CreateOptions
	start     bool
	after     afterStart
	ephemeral bool
	config    []string
}

const createLong = `Create a guest from a template.

The template's image is built once and cached; the guest is a clone of it. What
comes after -- are the template's arguments: sysct template shows them.

The guest gets an interface on the network sysctbr0, or on what --net, the variable
SYSCT_NETWORK or sysct.toml names. none is nothing but the loopback interface, host is the
host's network. What -c or a profile says of net comes before what is so by default.`

func newCreate(a *app) *cobra.Command {
	o := &createOptions{}
	cmd := &cobra.Command{
		Use: "create NAME -t TEMPLATE [-- ARGUMENT...]", Short: "Create a guest from a template", Long: createLong,
		Example: "  sysct create web -t debian -- -r trixie\n  sysct create tiny -t busybox --start",
		Args:    createArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return runCreate(cmd, a, o, args) },
	}
	o.flags(cmd, a)
	cmd.Flags().BoolVar(&o.start, "start", false, "start it as well")
	return cmd
}

const launchLong = `Create a guest from a template and start it, as create and start do. If the start
fails the guest stays. With --wait the verb returns when the guest is ready, without
when init runs.`

func newLaunch(a *app) *cobra.Command {
	o := &createOptions{start: true}
	cmd := &cobra.Command{
		Use: "launch NAME -t TEMPLATE [-- ARGUMENT...]", Short: "Create a guest and start it", Long: launchLong,
		Example: "  sysct launch web -t debian -- -r bookworm\n  sysct launch tiny -t busybox -c limits.memory=64M",
		Args:    createArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return runCreate(cmd, a, o, args) },
	}
	o.flags(cmd, a)
	o.after.flags(cmd, "timeout")
	return cmd
}

func (o *createOptions) flags(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVarP(&o.Template, "template", "t", "", "template to build it from")
	cmd.Flags().StringVarP(&o.Backend, "backend", "B", "auto", "storage: auto, btrfs, overlay, dir")
	cmd.Flags().StringArrayVarP(&o.config, "config", "c", nil, "set a key of its configuration, `KEY=VALUE`; may be repeated")
	cmd.Flags().StringVar(&o.Net, "net", "", "its network: none, host, or a network's `NAME` (SYSCT_NETWORK, default sysctbr0)")
	cmd.Flags().BoolVarP(&o.ephemeral, "ephemeral", "e", false, "destroy it when it stops")
	completeFlag(cmd, "template", completeTemplates)
	completeFlag(cmd, "backend", words("auto", "btrfs", "overlay", "dir", "shift"))
	completeFlag(cmd, "net", a.completeNewNetwork)
	completeFlag(cmd, "config", assignments)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
}

// createArgs: one name, and the template's arguments only after --.
func createArgs(cmd *cobra.Command, args []string) error {
	own := args
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		own = args[:dash]
	}
	if err := oneGuest(cmd, own); err != nil {
		return err
	}
	if !cmd.Flags().Changed("template") {
		return usage(errors.New("missing template\nhint: -t NAME; sysct template lists them"))
	}
	return nil
}

func runCreate(cmd *cobra.Command, a *app, o *createOptions, args []string) error {
	name := args[0]
	o.Args = args[1:]
	if cmd.Flags().Changed("net") && o.Net == "" {
		return invalid("--net is empty\nhint: none is no network")
	}
	var err error
	if o.Config, err = parseChanges(o.config); err != nil {
		return err
	}
	if o.ephemeral {
		o.Config = append(o.Config, spec.Change{Key: "ephemeral", Value: "true"})
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	if err := m.Create(cmd.Context(), name, o.CreateOptions); err != nil {
		return about(name, err)
	}
	if !o.start {
		return nil
	}
	if err := a.startNew(cmd.Context(), m, name, guest.StartOptions{Patience: o.after.timeout.value}); err != nil {
		return err
	}
	return about(name, o.after.run(cmd.Context(), a, m, name))
}

// startNew starts a guest that has just been made.
func (a *app) startNew(ctx context.Context, m *guest.Manager, name string, o guest.StartOptions) error {
	err := m.Start(ctx, name, o)
	if errors.Is(err, guest.ErrTimeout) {
		return about(name, err) // nothing is to be mended
	}
	if err != nil {
		return about(name, fmt.Errorf("it was created, but: %w\nhint: sysct start %s once that is mended, or sysct destroy %s", err, name, name))
	}
	return nil
}
