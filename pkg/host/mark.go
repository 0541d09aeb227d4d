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

// markFile has the guests that were started with the host, in the service's own
// directory. A guest is started once: not again by the next service, if somebody has
// stopped it meanwhile. It counts until the host boots again.
const markFile = "autostart.json"

// marks are the guests that were started since the host's boot.
type marks struct {
	path string
	boot string
	mu   sync.Mutex
	done []string
}

type markText struct {
	BootID  string   `json:"boot_id"`
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
		m.done = text.Started
	}
	return m, nil
}

func (m *marks) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.done, name)
}

func (m *marks) add(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.done, name) {
		return nil
	}
	m.done = append(m.done, name)
	data, err := json.Marshal(markText{m.boot, m.done})
	if err == nil {
		err = atomicfile.WritePath(m.path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot note that %s was started: %w", name, err)
	}
	return nil
}

// clear forgets all: the guests were stopped, and the next service starts them again.
func (m *marks) clear() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = nil
	if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget which guests were started: %w", err)
	}
	return nil
}
