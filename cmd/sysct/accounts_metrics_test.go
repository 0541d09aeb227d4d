package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testMetrics(t *testing.T, sysct func(...string) string) {
	text := sysct("metrics")
	for _, pattern := range []string{
		`(?m)^# TYPE sysct_guest_memory_bytes gauge\n# UNIT sysct_guest_memory_bytes bytes\nsysct_guest_memory_bytes\{guest="one"\} [1-9]\d+$`,
		`(?m)^sysct_guest_cpu_seconds_total\{guest="two",mode="user"\} \d+(\.\d+)?$`,
		`(?m)^sysct_guest_memory_limit_bytes\{guest="one"\} 67108864$`,
		`(?m)^sysct_guest_oom_kills_total\{guest="one"\} [1-9]`,
		`(?m)^sysct_guest_pids_limit_hits_total\{guest="one"\} [1-9]`,
		`\n# EOF\n$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("no %s in\n%s", pattern, text)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, textfileName), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	sysct("metrics", "--textfile", dir)
	file, err := os.ReadFile(filepath.Join(dir, textfileName))
	if err != nil || !strings.Contains(string(file), "\n# TYPE sysct_guest_cpu_seconds_total counter\n") || strings.Contains(string(file), "# EOF") {
		t.Errorf("%v, %s", err, file)
	}
	info, err := os.Stat(filepath.Join(dir, textfileName))
	if files, _ := os.ReadDir(dir); err != nil || info.Mode().Perm() != 0o644 || len(files) != 1 {
		t.Errorf("%v, mode %v, %v", err, info.Mode(), files)
	}
}

// testMetricsServed asks a server as Prometheus does, and in ways that it should survive.
func testMetricsServed(t *testing.T, top string) {
	path := filepath.Join(t.TempDir(), "socket")
	serve := command(top, "metrics", "--listen", "unix:"+path)
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer serve.Process.Kill()
	dial := func() net.Conn {
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			conn, err := net.Dial("unix", path)
			if err == nil {
				conn.SetDeadline(end)
				return conn
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	idle := dial() // says nothing, and holds nobody up
	defer idle.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: mode %v", err, info.Mode())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(), nil }}}
	for _, c := range []struct{ method, path, accept, status, contentType, body string }{
		{"GET", "/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "200 OK", "application/openmetrics-text; version=1.0.0; charset=utf-8", "# EOF\n"},
		{"GET", "/metrics?x=1", "", "200 OK", "text/plain; version=0.0.4; charset=utf-8", "sysct_guest_running{guest=\"two\"} 1\n"},
		{"HEAD", "/metrics", "", "200 OK", "text/plain; version=0.0.4; charset=utf-8", ""},
		{"GET", "/other", "", "404 Not Found", "text/plain; charset=utf-8", "there is only /metrics\n"},
		{"POST", "/metrics", "", "405 Method Not Allowed", "text/plain; charset=utf-8", "only GET and HEAD\n"},
	} {
		req, err := http.NewRequest(c.method, "http://localhost"+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", c.accept)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.Status != c.status || resp.Header.Get("Content-Type") != c.contentType || !strings.Contains(string(body), c.body) {
			t.Errorf("%s %s: %v, %s, %s: %.200s", c.method, c.path, err, resp.Status, resp.Header.Get("Content-Type"), body)
		}
	}
	for request, want := range map[string]string{
		"nonsense\r\n\r\n": "HTTP/1.1 400 ", "GET /metrics HTTP/1.1\r\nA: " + strings.Repeat("x", 64<<10): "",
	} {
		conn := dial()
		io.WriteString(conn, request) // it may be cut off in the middle
		if got, _ := io.ReadAll(conn); !strings.HasPrefix(string(got), want) || want == "" && len(got) > 0 {
			t.Errorf("%.20q: got %q", request, got)
		}
		conn.Close()
	}
	if out, err := command(top, "metrics", "--listen", "unix:"+path).CombinedOutput(); err == nil || !strings.Contains(string(out), "somebody serves it already") {
		t.Errorf("a second server: %v: %s", err, out)
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	serve.Wait()
	if status := serve.ProcessState.ExitCode(); status != 143 {
		t.Errorf("exit status %d", status)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
}
