package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/metrics"
)

type metricsOptions struct {
	textfile, listen string
	classic          bool
}

const metricsLong = `Print what all guests use as OpenMetrics text, for Prometheus and its like. The names
begin with sysct_guest_, units are seconds and bytes; the label guest is the name.

--textfile DIR writes DIR/sysct.prom instead, whole and at once, in the older text format
that node-exporter's textfile collector reads. --listen serves it by HTTP at /metrics
until a signal comes: on unix:PATH, a socket for root alone; on ADDR:PORT, where no address
is the loopback one; or on systemd, the socket that systemd hands over. There is no
encryption and no password: at ADDR:PORT whoever can reach it reads it, on the loopback
address every user of this host and the guests that have the host's network. A unix socket
is root's alone; put a proxy before it to have others read it.`

const metricsExample = `  sysct metrics
  sysct metrics --textfile /var/lib/prometheus/node-exporter
  sysct metrics --listen :9750
  sysct metrics --listen unix:/run/sysct-metrics.sock`

// textfileName is the file in the directory of --textfile.
const textfileName = "sysct.prom"

func newMetrics(a *app) *cobra.Command {
	o := &metricsOptions{}
	cmd := &cobra.Command{
		Use: "metrics", Short: "Print what the guests use for Prometheus", Long: metricsLong, Example: metricsExample,
		Args: noArgs, ValidArgsFunction: words(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runMetrics(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.textfile, "textfile", "", "write sysct.prom in this `directory`")
	f.StringVar(&o.listen, "listen", "", "serve at this `address`: unix:PATH, ADDR:PORT or systemd")
	f.BoolVar(&o.classic, "classic", false, "print the older text format")
	exclusive(cmd, "textfile", "listen", "classic")
	return cmd
}

func runMetrics(ctx context.Context, a *app, o *metricsOptions) error {
	var listen *listenAddress
	if o.listen != "" {
		var err error
		if listen, err = parseListen(o.listen); err != nil {
			return err
		}
	}
	m, err := a.manager()
	if err != nil {
		return err
	}
	meter, err := m.Meter(limits.WantAll&^(limits.WantCPUs|limits.WantBounds), guest.NetFigures)
	if err != nil {
		return err
	}
	s := &scraper{meter: meter}
	defer meter.Close()
	switch {
	case listen != nil:
		return listen.serve(ctx, s, a.warn)
	case o.textfile != "":
		return s.writeFile(ctx, o.textfile)
	}
	format := metrics.OpenMetrics
	if o.classic {
		format = metrics.Classic
	}
	text, err := s.scrape(ctx, format)
	if err != nil {
		return err
	}
	_, err = a.out.Write(text)
	return err
}

// scraper reads the guests' figures for any number of askers, one at a time.
type scraper struct {
	mu    sync.Mutex
	meter *guest.Meter
	at    time.Time
	list  []guest.Info
}

// fresh is how long a reading is given out again: many askers cost no more than one.
const fresh = 200 * time.Millisecond

func (s *scraper) scrape(ctx context.Context, f metrics.Format) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) > fresh {
		list, err := s.meter.Read(ctx)
		if err != nil {
			return nil, err
		}
		s.list, s.at = list, time.Now()
	}
	return metrics.Append(nil, s.list, f), nil
}

// writeFile replaces the file whole: its reader may come at any time. It isn't synced,
// because it is old in a minute.
func (s *scraper) writeFile(ctx context.Context, dir string) error {
	text, err := s.scrape(ctx, metrics.Classic)
	if err != nil {
		return err
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", escape(dir), err)
	}
	defer unix.Close(fd)
	if err := atomicfile.WriteVolatile(fd, textfileName, text, 0o644); err != nil {
		return fmt.Errorf("cannot write into %s: %w", escape(dir), err)
	}
	return nil
}

var errTooLong = errors.New("the request is too long")

// limitedReader ends a request that goes on for ever with an error of its own.
type limitedReader struct {
	from io.Reader
	left int
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.from.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
