package guest_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// A program that runs a command in a system of its own: it makes a guest, starts
// it, waits until it is up, executes the command, and removes it.
func ExampleManager() {
	top, err := os.MkdirTemp("/var/tmp", "sysct-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(top)
	m, err := guest.Open(guest.Options{
		Dirs:    spec.Dirs{State: top + "/lib", Run: top + "/run", Cache: testCache()},
		Helper:  helper, // not needed where sysct is installed
		Network: "none",
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := m.Create(ctx, "tiny", guest.CreateOptions{Template: "busybox"}); err != nil {
		log.Fatal(err)
	}
	defer m.Destroy(ctx, "tiny", guest.DestroyOptions{Force: true})
	if err := m.Start(ctx, "tiny", guest.StartOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := m.Wait(ctx, "tiny", guest.WaitOptions{Ready: true}); err != nil {
		log.Fatal(err)
	}
	status, err := m.Exec(ctx, "tiny", guest.ExecOptions{Args: []string{"hostname"}, Stdout: os.Stdout})
	fmt.Println("exit status", status, err)
	// Output:
	// tiny
	// exit status 0 <nil>
}
