package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// qmp is a connection to QEMU's monitor. See QEMU's "QMP specification".
type qmp struct {
	conn net.Conn
	in   *json.Decoder
}

// message is what QEMU says: a greeting, an event, or the answer to a command.
type message struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
}

// dialQMP connects to a QEMU that is being started.
func dialQMP(ctx context.Context, dir string) (*qmp, error) {
	conn, err := dialSoon(ctx, filepath.Join(dir, "qmp"))
	if err != nil {
		return nil, err
	}
	q := &qmp{conn: conn, in: json.NewDecoder(conn)}
	var greeting json.RawMessage
	if err := q.in.Decode(&greeting); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := q.do("qmp_capabilities", nil, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return q, nil
}

// dialSoon connects to a socket that somebody is about to listen on.
func dialSoon(ctx context.Context, path string) (net.Conn, error) {
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// do has QEMU execute a command and reads what it returns into result, if that isn't nil.
func (q *qmp) do(command string, arguments map[string]any, result any) error {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("cannot ask qemu for %s: %w", command, err)
	}
	for {
		var m message
		if err := q.in.Decode(&m); err != nil {
			return fmt.Errorf("cannot read qemu's answer to %s: %w", command, err)
		}
		switch {
		case m.Event != "":
		case m.Error != nil:
			return fmt.Errorf("qemu refuses %s: %s", command, m.Error.Desc)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(m.Return, result)
		}
	}
}

// migrated waits until a state is saved or loaded.
func (q *qmp) migrated(ctx context.Context) error {
	for {
		var info struct {
			Status string `json:"status"`
			Desc   string `json:"error-desc"`
		}
		if err := q.do("query-migrate", nil, &info); err != nil {
			return err
		}
		switch info.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("qemu's state: %s %s", info.Status, info.Desc)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
