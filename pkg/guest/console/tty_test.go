package console_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
)

func contains(p []byte, s string) bool { return bytes.Contains(p, []byte(s)) }

func tail(p []byte) []byte { return p[max(0, len(p)-300):] }

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// startFlood runs a guest's program that writes text to the slave.
func startFlood(t *testing.T, slave *os.File, count int) *exec.Cmd {
	t.Helper()
	cmd := role(t, "flood", strconv.Itoa(count))
	cmd.Stdout = slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// noted adds up the notices in what a client saw and takes them out.
func noted(t *testing.T, got []byte) (rest []byte, skipped int) {
	t.Helper()
	notice := regexp.MustCompile(`\r\n\[sysct: (\d+) bytes skipped\]\r\n`)
	for _, m := range notice.FindAllSubmatch(got, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		skipped += n
	}
	return notice.ReplaceAll(got, nil), skipped
}

const floodSize = 50 << 20

func TestFloodWithoutClient(t *testing.T) {
	dir := t.TempDir()
	ring, log := newRing(t, console.MinTTYRing), newLog(t, dir, "log", console.LogOptions{})
	l := newLoop(t)
	master, slave := openPTY(t)
	raw(t, slave)
	l.tty(console.Options{Master: master, Ring: ring, Log: log})
	begin := time.Now()
	if err := startFlood(t, slave, floodSize).Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all of the flood", func() bool { return ring.End() == floodSize })
	speed(t, begin)
	logged := int64(0)
	for _, name := range []string{"log", "log.1", "log.2", "log.3"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Size() > 1<<20 {
			t.Fatalf("%s: %v, %v", name, st, err)
		}
		logged += st.Size()
	}
	if logged < 3<<20 {
		t.Errorf("logs of %d bytes", logged)
	}
}

func speed(t *testing.T, begin time.Time) {
	t.Logf("%.0f MB/s", floodSize/1e6/time.Since(begin).Seconds())
}

// A client that reads as fast as it can gets every byte, or is told of it.
func TestFloodWithClient(t *testing.T) {
	for _, mode := range []string{"raw", "cooked"} {
		t.Run(mode, func(t *testing.T) {
			ring, log := newRing(t, console.MinTTYRing), newLog(t, t.TempDir(), "log", console.LogOptions{})
			l := newLoop(t)
			master, slave := openPTY(t)
			want := uint64(floodSize + floodSize/80)
			if mode == "raw" {
				raw(t, slave)
				want = floodSize
			}
			tty := l.tty(console.Options{Master: master, Ring: ring, Log: log})
			client := l.attach(tty, 0, 0)
			var got int
			var sum []byte
			var reader sync.WaitGroup
			reader.Go(func() {
				buf := make([]byte, 64<<10)
				for {
					n, err := client.Read(buf)
					if err != nil {
						return
					}
					got += n
					if bytes.Contains(buf[:n], []byte("[")) {
						sum = append(sum, buf[:n]...)
					}
				}
			})
			begin := time.Now()
			if err := startFlood(t, slave, floodSize).Wait(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all of the flood", func() bool { return ring.End() == want })
			speed(t, begin)
			l.call(func() { tty.Close() })
			reader.Wait()
			rest, skipped := noted(t, sum)
			if notices := len(sum) - len(rest); uint64(got-notices+skipped) != want {
				t.Errorf("got %d bytes, %d of notices, %d skipped, want %d", got, notices, skipped, want)
			}
			t.Logf("%d bytes skipped", skipped)
		})
	}
}

// A client that is stopped doesn't stop the guest. When it goes on it is told what it
// missed, and sees the end.
func TestFloodWithStoppedClient(t *testing.T) {
	ring := newRing(t, console.MinTTYRing)
	l := newLoop(t)
	master, slave := openPTY(t)
	raw(t, slave)
	tty := l.tty(console.Options{Master: master, Ring: ring})
	client := l.attach(tty, 0, 0)
	begin := time.Now()
	if err := startFlood(t, slave, floodSize).Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all of the flood", func() bool { return ring.End() == floodSize })
	speed(t, begin)
	write(t, slave, "login: ")
	got := []byte(expect(t, client, "login: "))
	rest, skipped := noted(t, got)
	if skipped == 0 || len(rest)+skipped != floodSize+len("login: ") {
		t.Errorf("%d bytes and %d skipped of %d", len(rest), skipped, floodSize)
	}
}
