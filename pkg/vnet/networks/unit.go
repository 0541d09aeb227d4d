package networks

import (
	"context"
	"fmt"
)

// unit is the network's instance of etc/systemd/sysct-dns@.service.
func (d *dns) unit() string { return "sysct-dns@" + d.net.Name + ".service" }

// startUnit has systemd start dnsmasq, and waits until it listens. By systemctl and not by
// D-Bus: it is rare, and what links this is started with every guest.
func (d *dns) startUnit(ctx context.Context) error { return d.systemctl(ctx, "start") }

// stopUnit has systemd end it.
func (d *dns) stopUnit(ctx context.Context) error { return d.systemctl(ctx, "stop") }

func (d *dns) systemctl(ctx context.Context, verb string) error {
	program, err := findProgram("systemctl")
	if err != nil {
		return err
	}
	if err := run(ctx, nil, program, "--quiet", "--no-ask-password", verb, "--", d.unit()); err != nil {
		return fmt.Errorf("cannot %s %s: %w\nhint: journalctl -u %s", verb, d.unit(), err, d.unit())
	}
	return nil
}
