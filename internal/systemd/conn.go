package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/godbus/dbus/v5"
)

// Where systemd is on a bus.
const (
	service   = "org.freedesktop.systemd1"
	object    = "/org/freedesktop/systemd1"
	manager   = "org.freedesktop.systemd1.Manager"
	unitIface = "org.freedesktop.systemd1.Unit"
	props     = "org.freedesktop.DBus.Properties"
)

// privateSocket is systemd's own, which answers while no D-Bus daemon does. Only root
// may connect.
const privateSocket = "/run/systemd/private"

// ErrAway is the cause when neither the bus nor systemd's own socket answers.
var ErrAway = errors.New("systemd can't be asked")

// Running says whether systemd is this host's init (sd_booted(3)).
func Running() bool {
	st, err := os.Lstat("/run/systemd/system")
	return err == nil && st.IsDir()
}

// Conn is a connection to systemd. It is for one goroutine at a time.
type Conn struct {
	bus     *dbus.Conn
	signals chan *dbus.Signal
	// Direct says that no bus was there and systemd was asked by its own socket.
	Direct bool
}

// Open connects. A cause is [ErrAway] if nobody answers; the context bounds the
// connection's whole life.
func Open(ctx context.Context) (*Conn, error) {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	c := &Conn{bus: bus}
	if err != nil {
		var direct error
		if c.bus, direct = openPrivate(ctx); direct != nil {
			return nil, fmt.Errorf("%w: %w; %w", ErrAway, err, direct)
		}
		c.Direct = true
	}
	c.signals = make(chan *dbus.Signal, 256)
	c.bus.Signal(c.signals)
	return c, nil
}

func openPrivate(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.Dial("unix:path="+privateSocket, dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.bus.Close() }

// call calls a method of systemd's manager.
func (c *Conn) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return c.bus.Object(service, object).CallWithContext(ctx, manager+"."+method, 0, args...)
}

// subscribe has systemd send its signals to this connection.
func (c *Conn) subscribe(ctx context.Context) error {
	if !c.Direct {
		err := c.bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface(manager), dbus.WithMatchObjectPath(object))
		if err != nil {
			return fmt.Errorf("cannot listen to systemd: %w", err)
		}
	}
	if err := c.call(ctx, "Subscribe").Err; err != nil && !isError(err, "org.freedesktop.systemd1.AlreadySubscribed") {
		return fmt.Errorf("cannot listen to systemd: %w", err)
	}
	return nil
}

// isError says whether err is the D-Bus error of a name.
func isError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}
