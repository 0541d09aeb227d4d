package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/sysct/sysct/internal/atomicfile"
)

// markFile has the guests that were to be started with the host, and those that were, in
// the service's own directory. A guest is started once: not again by the next service, if
// somebody has stopped it meanwhile. It counts until the host boots again.
const markFile = "autostart.json"

// marks are the guests that were started since the host's boot.
type marks struct {
	path string
	boot string
	mu   sync.Mutex
	text markText
}

type markText struct {
	BootID string `json:"boot_id"`
	// Wanted are those that the first service of this boot found enabled, and those that
	// a reload has added.
	Wanted  []string `json:"wanted"`
	Started []string `json:"started"`
}

// openMarks reads them. What is of another boot, or can't be read, is none: then a guest
// is started that would have been.
func openMarks(dir, boot string) (*marks, error) {
	m := &marks{path: filepath.Join(dir, markFile), boot: boot}
	data, err := os.ReadFile(m.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read which guests were started: %w", err)
	}
	var text markText
	if json.Unmarshal(data, &text) == nil && text.BootID == boot {
		m.text = text
	}
	return m, nil
}

// begun says whether a service has had its first turn in this boot.
func (m *marks) begun() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.BootID != ""
}

// due are those of some guests that are wanted and weren't started.
func (m *marks) due(names []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !slices.Contains(m.text.Wanted, name) || slices.Contains(m.text.Started, name)
	})
}

// want notes guests as ones to be started, once.
func (m *marks) want(names []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.text
	for _, name := range names {
		if !slices.Contains(next.Wanted, name) {
			next.Wanted = append(slices.Clone(next.Wanted), name)
		}
	}
	return m.write(next)
}

// add notes that a guest was started.
func (m *marks) add(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.text.Started, name) {
		return nil
	}
	next := m.text
	next.Started = append(slices.Clone(next.Started), name)
	return m.write(next)
}

// write counts for this service also where it can't be written.
func (m *marks) write(next markText) error {
	next.BootID = m.boot
	m.text = next
	data, err := json.Marshal(next)
	if err == nil {
		err = atomicfile.WritePath(m.path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot note which guests were started: %w", err)
	}
	return nil
}

// clear forgets all: the guests were stopped, and the next service starts them again.
func (m *marks) clear() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = markText{}
	if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget which guests were started: %w", err)
	}
	return nil
}
