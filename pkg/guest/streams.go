package guest

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// streams are the three standard files of a command without a terminal of its
// own. A terminal of the host's is never among them: a program that holds one
// may change its settings and read what is typed for others. Where the caller's
// file is one, the command gets a pipe and the bytes are copied.
type streams struct {
	files  [3]*os.File // the command's
	own    []*os.File  // those of them that were made here
	ours   []*os.File  // our ends of the pipes
	copies sync.WaitGroup
}

// lingering is how long output is waited for that processes may still write
// which the command left behind.
const lingering = 200 * time.Millisecond

func newStreams(o ExecOptions, null *os.File) (*streams, error) {
	s := &streams{files: [3]*os.File{orNull(o.Stdin, null), orNull(o.Stdout, null), orNull(o.Stderr, null)}}
	for i, f := range s.files {
		if !isTerminal(f) {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			s.close()
			s.handedOver()
			return nil, fmt.Errorf("cannot make pipe: %w", err)
		}
		if i == 0 {
			s.files[i], s.own, s.ours = r, append(s.own, r), append(s.ours, w)
			// A read from the terminal can't be broken off: this one may outlive the command.
			go func() { io.Copy(w, f); w.Close() }()
			continue
		}
		s.files[i], s.own, s.ours = w, append(s.own, w), append(s.ours, r)
		s.copies.Go(func() { io.Copy(f, r) })
	}
	return s, nil
}

func (s *streams) fds() [3]int {
	return [3]int{int(s.files[0].Fd()), int(s.files[1].Fd()), int(s.files[2].Fd())}
}

// handedOver closes the command's ends here: the pipes end with the command.
func (s *streams) handedOver() {
	for _, f := range s.own {
		f.Close()
	}
	s.own = nil
}

// drain waits for the rest of the output.
func (s *streams) drain() {
	done := make(chan struct{})
	go func() { s.copies.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(lingering):
	}
}

func (s *streams) close() {
	for _, f := range s.ours {
		f.Close()
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
