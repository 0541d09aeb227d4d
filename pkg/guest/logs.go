package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sysct/sysct/pkg/guest/state"
)

// monitorLog and consoleLog are a guest's logs.
func (m *Manager) monitorLog(name string) string { return filepath.Join(m.dirs.Log, name+".log") }
func (m *Manager) consoleLog(name string) string {
	return filepath.Join(m.dirs.Log, name+".console.log")
}

// logFiles are all files of a guest's logs, of each the newest first, and the
// record of a boot, there or not.
func (m *Manager) logFiles(name string) []string { return state.LogFiles(m.dirs.Log, name) }

// Logs writes what the guest's monitor logged, the last `tail` lines or, below 0, all.
func (m *Manager) Logs(ctx context.Context, name string, w io.Writer, tail int) error {
	return m.copyLog(name, m.monitorLog(name), w, tail)
}

// ConsoleLog writes what the guest's console showed, likewise.
func (m *Manager) ConsoleLog(ctx context.Context, name string, w io.Writer, tail int) error {
	return m.copyLog(name, m.consoleLog(name), w, tail)
}

func (m *Manager) copyLog(name, path string, w io.Writer, tail int) error {
	if err := m.check(name); err != nil {
		return err
	}
	data, err := readLog(path)
	if err != nil {
		return err
	}
	_, err = w.Write(lastLines(data, tail))
	return err
}

// readLog joins a log's files, the oldest first. None is an empty log.
func readLog(path string) ([]byte, error) { return readFiles(state.Rotated(path)) }

// readFiles joins files, the last first.
func readFiles(files []string) ([]byte, error) {
	var all []byte
	for _, file := range slices.Backward(files) {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read log: %w", err)
		}
		all = append(all, data...)
	}
	return all, nil
}

// lastLines gives the last n lines, all below 0.
func lastLines(data []byte, n int) []byte {
	if n < 0 {
		return data
	}
	if n == 0 {
		return nil
	}
	end := len(bytes.TrimRight(data, "\n"))
	for i := end; i > 0; i-- {
		if data[i-1] == '\n' {
			if n--; n == 0 {
				return data[i:]
			}
		}
	}
	return data
}
