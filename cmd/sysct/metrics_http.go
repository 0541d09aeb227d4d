package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/metrics"
)

// This is the little of HTTP/1.1 (RFC 9112) that a scrape needs: one request a
// connection, no body. net/http would be initialised at every start of every verb.

const (
	maxAskers  = 16               // connections at a time
	maxRequest = 16 << 10         // bytes of a request's head
	headTime   = time.Second      // for a request's head
	askTime    = 10 * time.Second // for its answer
)

// response is an answer to be.
type response struct {
	status, contentType string
	body                []byte
}

func plainResponse(status, text string) response {
	return response{status, "text/plain; charset=utf-8", []byte(text + "\n")}
}

// answer reads a request and answers it. A connection that says nothing in time is closed.
func answer(ctx context.Context, conn net.Conn, s *scraper) {
	if conn.SetDeadline(time.Now().Add(headTime)) != nil {
		return
	}
	in := bufio.NewReader(&limitedReader{conn, maxRequest})
	method, target, accept, err := readRequest(in)
	if err != nil || conn.SetDeadline(time.Now().Add(askTime)) != nil {
		return
	}
	r := respond(ctx, s, method, target, accept)
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", r.status, r.contentType, len(r.body))
	if method == "HEAD" {
		r.body = nil
	}
	// Whoever has gone by now misses nothing.
	_, _ = conn.Write(append([]byte(head), r.body...))
}

// readRequest reads a request's head: its method, its target without the query, and what
// it accepts. A request that makes no sense has no method.
func readRequest(in *bufio.Reader) (method, target, accept string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", "", "", err
	}
	words := strings.Split(strings.TrimRight(line, "\r\n"), " ")
	if len(words) == 3 && strings.HasPrefix(words[2], "HTTP/1.") {
		method = words[0]
		target, _, _ = strings.Cut(words[1], "?")
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", "", "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return method, target, accept, nil
		}
		if key, value, _ := strings.Cut(line, ":"); strings.EqualFold(key, "accept") {
			accept += "," + value
		}
	}
}

func respond(ctx context.Context, s *scraper, method, target, accept string) response {
	switch {
	case method == "":
		return plainResponse("400 Bad Request", "not a request of HTTP/1")
	case method != "GET" && method != "HEAD":
		return plainResponse("405 Method Not Allowed", "only GET and HEAD")
	case target == "/":
		return plainResponse("200 OK", "sysct: see /metrics")
	case target != "/metrics":
		return plainResponse("404 Not Found", "there is only /metrics")
	}
	// Who doesn't ask for OpenMetrics may not know it, as a scraper of old.
	format := metrics.Classic
	if strings.Contains(accept, "application/openmetrics-text") {
		format = metrics.OpenMetrics
	}
	text, err := s.scrape(ctx, format)
	if err != nil {
		return plainResponse("500 Internal Server Error", escape(err.Error()))
	}
	return response{"200 OK", format.ContentType(), text}
}
