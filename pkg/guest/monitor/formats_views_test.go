package monitor

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/context/ns"
	"github.com/sysct/sysct/pkg/views/fuse"
)

// TestViewsNumbersOfThen: the kernel knows a running guest's views by their numbers, whatever
// program answers. What is in views.txt is never changed; a path that isn't there yet is
// added.
func TestViewsNumbersOfThen(t *testing.T) {
	data, err := os.ReadFile("testdata/formats/views.txt")
	if err != nil {
		t.Fatal(err)
	}
	then := map[string]string{}
	for line := range strings.Lines(string(data)) {
		path, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		then[path] = number
	}
	here := numbersOfViews(t)
	if len(here) < 30 {
		t.Errorf("there are only %v", here)
	}
	for path, number := range here {
		switch then[path] {
		case number:
		case "":
			t.Errorf("testdata/formats/views.txt lacks the line %s %s", path, number)
		default:
			t.Errorf("%s was %s and is %s", path, then[path], number)
		}
	}
}

// numbersOfViews asks the kernel for them, of a guest with two CPUs.
func numbersOfViews(t *testing.T) map[string]string {
	table := (&monitor{plan: &Plan{}}).viewTable()
	for i := range table.Files {
		table.Files[i].Render = func(b []byte) []byte { return append(b, '\n') }
	}
	table.Counted[0].Count = func() int { return 2 }
	dev, mount, err := sysctx.NewViews(ns.IDRange{})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(mount)
	server, err := fuse.New(dev, make([]byte, fuse.SlotSize), table, func() fuse.Now { return fuse.Now{Mono: now().Mono} })
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for err := error(nil); err == nil; err = server.Serve(16) {
			unix.Poll([]unix.PollFd{{Fd: int32(dev), Events: unix.POLLIN}}, 5)
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	defer func() { close(stop); <-stopped; unix.Close(dev) }()
	found := map[string]string{}
	err = fs.WalkDir(os.DirFS(fmt.Sprintf("/proc/self/fd/%d", mount)), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			found[path] = fmt.Sprintf("%#x", info.Sys().(*syscall.Stat_t).Ino)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
