package networks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/sysct/sysct/pkg/vnet"
)

// A pid file is only a number: whose process it is by now is asked of the process.
func TestOtherProcessesArentSignalled(t *testing.T) {
	s := tempStore(t)
	d := &dns{s, &vnet.Network{Name: "dmz"}}
	ok(t, os.MkdirAll(filepath.Dir(d.pidPath()), 0o700))
	// What has the same words in its command line, but isn't dnsmasq, and a dnsmasq of others.
	for _, args := range [][]string{{"sleep", "60"}, {"sleep", "60", configFlag + d.configPath()}, {"dnsmasq", "60"}, {"dnsmasq", "60", configFlag + "/etc/dnsmasq.conf"}} {
		c := exec.Command("/bin/sh", "-c", "read line", args[0])
		c.Args = append([]string{args[0], "-c", "read line"}, args[1:]...)
		in, err := c.StdinPipe()
		ok(t, err)
		ok(t, c.Start())
		ok(t, os.WriteFile(d.pidPath(), []byte(strconv.Itoa(c.Process.Pid)+"\n"), 0o600))
		if d.alive() {
			t.Errorf("%q is taken for the network's dnsmasq", args)
		}
		ok(t, d.stop(context.Background()))
		in.Write([]byte("\n"))
		if err := c.Wait(); err != nil {
			t.Errorf("%q was signalled: %v", args, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1", "0", "99999999999"} {
		ok(t, os.WriteFile(d.pidPath(), []byte(text), 0o600))
		if d.alive() {
			t.Errorf("pid %q is alive", text)
		}
		ok(t, d.stop(context.Background()))
	}
}
