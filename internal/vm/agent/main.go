// Agent runs in a test machine as a service and does what its host asks for over the virtio serial ports: it runs commands and hands
// back what they say. It is part of the machine's image, so a change of it makes all machines anew.
package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/sysct/sysct/internal/vm/wire"
)

func main() {
	var ports sync.WaitGroup
	for i := range wire.Ports {
		path := fmt.Sprintf("/dev/virtio-ports/%s%d", wire.PortPrefix, i)
		ports.Go(func() {
			if err := serve(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1) // systemd starts it again
			}
		})
	}
	ports.Wait()
}
