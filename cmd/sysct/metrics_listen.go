package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// listenAddress is where metrics are served.
type listenAddress struct{ network, address string }

// parseListen reads unix:PATH, ADDR:PORT, :PORT for the loopback address, or systemd.
func parseListen(text string) (*listenAddress, error) {
	if text == "systemd" {
		return &listenAddress{network: "systemd"}, nil
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || len(path) > 107 {
			return nil, invalid("--listen: %q is no absolute path of at most 107 bytes", path)
		}
		return &listenAddress{"unix", path}, nil
	}
	host, port, err := net.SplitHostPort(text)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || n == 0 && port != "0" || host != "" && net.ParseIP(host) == nil {
		return nil, invalid("--listen: %q is no address: want unix:PATH, ADDR:PORT, :PORT or systemd", text)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return &listenAddress{"tcp", net.JoinHostPort(host, port)}, nil
}

// listen opens the socket. A unix one is root's alone, and takes the place of one that
// nobody serves any more.
func (l *listenAddress) listen() (net.Listener, error) {
	if l.network == "systemd" {
		return inheritedListener()
	}
	if l.network == "unix" {
		if err := removeStale(l.address); err != nil {
			return nil, err
		}
		// The socket has its mode from its making on.
		defer unix.Umask(unix.Umask(0o177))
	}
	listener, err := net.Listen(l.network, l.address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return listener, nil
}

func removeStale(path string) error {
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("cannot listen on %s: somebody serves it already", escape(path))
	}
	info, statErr := os.Lstat(path)
	if !errors.Is(err, unix.ECONNREFUSED) || statErr != nil || info.Mode().Type() != fs.ModeSocket {
		return nil // bind says what is there
	}
	return os.Remove(path)
}

// inheritedListener is the socket that systemd opened: the first descriptor after the
// standard ones. Source: sd_listen_fds(3).
func inheritedListener() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || os.Getenv("LISTEN_FDS") != "1" {
		return nil, invalid("--listen systemd: systemd has handed over no socket, or several")
	}
	file := os.NewFile(3, "systemd's socket")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("cannot use systemd's socket: %w", err)
	}
	return listener, nil
}

// acceptPause is how long nobody is accepted after that failed, as for lack of descriptors.
const acceptPause = time.Second

// serve answers until the context ends.
func (l *listenAddress) serve(ctx context.Context, s *scraper, warn func(string)) error {
	listener, err := l.listen()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	defer listener.Close()
	slots := make(chan struct{}, maxAskers)
	said := ""
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("cannot accept a connection: %w", err)
		}
		if err != nil {
			if text := err.Error(); text != said {
				said = text
				warn("cannot accept a connection, trying again: " + text)
			}
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		said = ""
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return ctx.Err()
		}
		go func() {
			defer func() { <-slots }()
			defer conn.Close()
			answer(ctx, conn, s)
		}()
	}
}
