package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

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

// ErrLost is the cause when the connection ended while a job was waited for, which goes on.
var ErrLost = errors.New("the connection to systemd was lost")

// Running says whether systemd is this host's init (sd_booted(3)).
func Running() bool {
	st, err := os.Lstat("/run/systemd/system")
	return err == nil && st.IsDir()
}

// Conn is a connection to systemd. It is for one goroutine at a time.
type Conn struct {
	bus     *dbus.Conn
	owner   string // systemd's own name on the bus; "" on its own socket
	cancel  func()
	signals chan *dbus.Signal
	// Direct says that no bus was there and systemd was asked by its own socket.
	Direct bool
}

// Open connects. A cause is [ErrAway] if nobody answers; the context bounds the
// connection's whole life.
func Open(ctx context.Context) (*Conn, error) {
	c := &Conn{}
	err := c.connect(ctx, c.openBus)
	if err != nil {
		if direct := c.connect(ctx, openPrivate); direct != nil {
			return nil, fmt.Errorf("%w: %w; %w", ErrAway, err, direct)
		}
		c.owner, c.Direct = "", true
	}
	c.signals = make(chan *dbus.Signal, 256)
	c.bus.Signal(c.signals)
	return c, nil
}

// connectTime bounds a connection's beginning: the socket of a bus whose daemon is about
// to end, or to start, takes a client and says nothing.
const connectTime = 5 * time.Second

func (c *Conn) connect(ctx context.Context, open func(context.Context) (*dbus.Conn, error)) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(connectTime, cancel)
	if c.bus, err = open(ctx); err == nil && late.Stop() {
		c.cancel = cancel
		return nil
	}
	late.Stop()
	cancel()
	if err == nil || ctx.Err() != nil {
		err = fmt.Errorf("no answer in %v", connectTime)
	}
	return err
}

// openBus connects to the bus and finds systemd on it, which comes there a moment after the
// bus: until then it is as if there were none.
func (c *Conn) openBus(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, service).Store(&c.owner); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
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
	if err := greet(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// greetPause is the pause between greetings.
const greetPause = 50 * time.Millisecond

// greet sends messages until one is answered. A message that systemd reads together with
// the end of the authentication, which it does if it is slow, stays in its buffer until
// another one comes.
func greet(ctx context.Context, conn *dbus.Conn) error {
	answers := make(chan *dbus.Call, int(connectTime/greetPause)+1)
	for {
		conn.Object(service, object).GoWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0, answers)
		select {
		case call := <-answers:
			return call.Err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(greetPause):
		}
	}
}

// Close ends the connection.
func (c *Conn) Close() error {
	defer c.cancel()
	return c.bus.Close()
}

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
