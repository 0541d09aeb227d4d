package disks

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestHeedWeights: one disk that is shared by weights is enough. The texts are kernels' own.
func TestHeedWeights(t *testing.T) {
	const qos = "ctrl=auto rpct=0.00 rlat=250000 wpct=0.00 wlat=250000 min=1.00 max=10000.00\n"
	for name, when := range map[string]struct {
		schedulers []string
		costs      string
		want       bool
	}{
		"no disk":            {nil, "", false},
		"none":               {[]string{"[none] mq-deadline kyber bfq \n", "[none] \n"}, "", false},
		"mq-deadline":        {[]string{"none [mq-deadline] kyber bfq \n"}, "", false},
		"bfq":                {[]string{"[none] mq-deadline \n", "none mq-deadline kyber [bfq] \n"}, "", true},
		"io.cost":            {[]string{"[none] \n"}, "254:0 enable=0 " + qos + "254:16 enable=1 " + qos, true},
		"io.cost turned off": {[]string{"[none] \n"}, "254:0 enable=0 " + qos, false},
	} {
		sys := t.TempDir()
		err := os.Mkdir(sys+"/block", 0o755)
		for i, text := range when.schedulers {
			queue := filepath.Join(sys, "block", "vd"+string(rune('a'+i)), "queue")
			err = errors.Join(err, os.MkdirAll(queue, 0o755), os.WriteFile(queue+"/scheduler", []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := heedWeights(sys, when.costs); err != nil || got != when.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := heedWeights(t.TempDir(), ""); err == nil {
		t.Error("without any disks to look at it says something")
	}
}
