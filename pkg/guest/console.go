package guest

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
)

// ConsoleOptions say which terminal of a guest is attached to.
type ConsoleOptions struct {
	TTY        int // 0: the console
	Rows, Cols uint16
}

// ConsoleConn is an attached terminal: a stream of bytes both ways, and the size.
// Several may share one terminal. Closing it detaches.
type ConsoleConn struct {
	conn   *control.Conn
	stream *os.File
}

// Console attaches to a terminal of a running guest: what it showed last comes
// first. ErrState if it isn't running, ErrConfig if it has no such terminal.
func (m *Manager) Console(ctx context.Context, name string, o ConsoleOptions) (*ConsoleConn, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	conn, err := m.reach(ctx, name)
	if errors.Is(err, control.ErrNoMonitor) {
		return nil, m.noMonitor(name)
	}
	if err != nil {
		return nil, callError(err)
	}
	asking, done := m.whileHeard(ctx, name)
	defer done()
	var resp control.Response
	fds, err := conn.Call(asking, control.Request{Op: control.OpConsole, TTY: o.TTY, Rows: o.Rows, Cols: o.Cols}, &resp)
	if err != nil {
		conn.Close()
		return nil, heard(asking, name, err)
	}
	if len(fds) != 1 {
		control.CloseAll(fds)
		conn.Close()
		return nil, fmt.Errorf("cannot attach: the monitor sent %d descriptors", len(fds))
	}
	// Nonblocking, so that Close ends a Read that waits.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		control.CloseAll(fds)
		conn.Close()
		return nil, fmt.Errorf("cannot attach: %w", err)
	}
	return &ConsoleConn{conn: conn, stream: os.NewFile(uintptr(fds[0]), "console")}, nil
}

// Read gives what the terminal shows; io.EOF means that the monitor has gone.
func (c *ConsoleConn) Read(p []byte) (int, error) { return c.stream.Read(p) }

// Write types.
func (c *ConsoleConn) Write(p []byte) (int, error) { return c.stream.Write(p) }

// Resize sets the terminal's size for everyone: the last to resize wins.
func (c *ConsoleConn) Resize(rows, cols uint16) error {
	return c.conn.Send(context.Background(), control.Request{Op: control.OpResize, Rows: rows, Cols: cols})
}

// Close detaches.
func (c *ConsoleConn) Close() error { return errors.Join(c.stream.Close(), c.conn.Close()) }
