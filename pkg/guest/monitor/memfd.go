package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// memfd makes a file of memory with some content.
func memfd(name string, data []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		data = data[n:]
	}
	return fd, nil
}

// contents reads a file of memory from its beginning, whatever the offset: the
// descriptor is shared with those who read it before.
func contents(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("fstat: %w", err)
	}
	// A pipe or a device would keep the reader waiting.
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxPlan {
		return nil, fmt.Errorf("it is no file of at most %d bytes", maxPlan)
	}
	data := make([]byte, st.Size)
	for done := 0; done < len(data); {
		n, err := unix.Pread(fd, data[done:], int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, fmt.Errorf("pread: %w", err)
		case n == 0:
			return nil, io.ErrUnexpectedEOF
		default:
			done += n
		}
	}
	return data, nil
}

// ReadPlan reads the plan in a file of memory.
func ReadPlan(fd int) (*Plan, error) { return readPlan(fd) }

func readPlan(fd int) (*Plan, error) {
	data, err := contents(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	if p.Version != planVersion {
		return nil, fmt.Errorf("cannot read plan: version %d instead of %d", p.Version, planVersion)
	}
	if p.Name == "" || p.Base == "" || p.RunDir == "" {
		return nil, errors.New("cannot read plan: it has no name, base or run directory")
	}
	if p.StopTimeout < 0 {
		p.StopTimeout = DefaultStopTimeout
	}
	return &p, nil
}
