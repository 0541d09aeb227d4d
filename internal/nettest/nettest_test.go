package nettest

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHostHasWhatIsPromised(t *testing.T) {
	outer, err := os.ReadDir("/sys/fs/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	outside := Host(t, func(t *testing.T) {
		entries, err := os.ReadDir("/sys/class/net")
		if err != nil || len(entries) != 1 || entries[0].Name() != "lo" {
			t.Errorf("/sys/class/net has %v, %v: want lo alone", entries, err)
		}
		if groups, err := os.ReadDir("/sys/fs/cgroup"); err != nil || len(groups) != len(outer) {
			t.Errorf("/sys/fs/cgroup has %v, %v: want %v", groups, err, outer)
		}
		if err := os.WriteFile("/etc/sysct-nettest", nil, 0o644); err != nil {
			t.Error(err)
		}
		before := State(t)
		Run(t, "ip", "link", "add", "br0", "type", "bridge")
		Here(t).Sysctl(t, "net/ipv4/ip_forward", "1")
		if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err != nil || string(text) != "1\n" {
			t.Errorf("ip_forward is %q, %v", text, err)
		}
		changed := Difference(before, State(t))
		for _, want := range []string{"+ ip -o link: 2: br0", "- /proc/sys/net/ipv4/ip_forward = 0\n", "+ /proc/sys/net/ipv4/ip_forward = 1\n"} {
			if !strings.Contains(changed, want) {
				t.Errorf("the difference lacks %q:\n%s", want, changed)
			}
		}
	})
	if _, err := os.Lstat("/etc/sysct-nettest"); outside && err == nil {
		t.Error("the machine's /etc was written to")
	}
}

func TestInternet(t *testing.T) {
	Host(t, func(t *testing.T) {
		here := Here(t)
		net := NewInternet(t, here, map[string]netip.Addr{"one.example": netip.MustParseAddr("192.0.2.1")})
		for _, far := range []netip.Addr{net.Far4, net.Far6} {
			for _, proto := range []string{"tcp", "udp"} {
				from, err := here.Ask(proto, netip.AddrPortFrom(far, net.Echo), time.Minute)
				if want := map[bool]netip.Addr{true: net.Host4.Addr(), false: net.Host6.Addr()}[far.Is4()]; err != nil || from.Addr() != want {
					t.Errorf("%s to %s was seen to come from %s, %v: want %s", proto, far, from, err, want)
				}
			}
			got, err := here.Resolve(far, "FAR.example")
			if err != nil || !slices.Equal(got, []netip.Addr{net.Far4, net.Far6}) {
				t.Errorf("%s says of FAR.example %v, %v", far, got, err)
			}
		}
		// The library's resolver asks whom /etc/resolv.conf names.
		if out := Run(t, "getent", "ahosts", "one.example"); !strings.Contains(out, "192.0.2.1") {
			t.Errorf("getent gives %q", out)
		}
		if _, err := net.Ask("tcp", netip.AddrPortFrom(net.Host4.Addr(), 9), time.Minute); err == nil {
			t.Error("there is an echo where nobody has made one")
		}
	})
}

func TestSniff(t *testing.T) {
	Host(t, func(t *testing.T) {
		a, b := New(t), New(t)
		a.Veth(t, "a0", b, "b0")
		seen := b.Sniff(t, "b0")
		frame := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5"), "a frame of a test, long enough to be one"...)
		a.Send(t, "a0", frame)
		seen.Await(t, "what was sent", func(f []byte) bool { return bytes.Equal(f, frame) })
		if _, err := net.InterfaceByName("a0"); err == nil {
			t.Error("a0 is where the test is")
		}
	})
}

// TestFaultsAreSeen runs what a test may do wrong, in a program of its own.
func TestFaultsAreSeen(t *testing.T) {
	const wrong = "SYSCT_NETTEST_WRONG"
	if what := os.Getenv(wrong); what != "" {
		Host(t, func(t *testing.T) {
			switch what {
			case "leaves a process":
				if err := exec.Command("sleep", "300").Start(); err != nil {
					t.Fatal(err)
				}
			case "fails":
				t.Error("as asked")
			case "ends":
				os.Exit(0)
			}
		})
		return
	}
	for what, want := range map[string]string{
		"leaves a process": `was left there: "sleep\x00300\x00"`, "fails": "as asked", "ends": "didn't come to its end",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestFaultsAreSeen$")
			cmd.Env = append(os.Environ(), wrong+"="+what)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, without %q:\n%s", err, want, out)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	before := []string{"a", "b"}
	if d := Difference(before, []string{"b", "a"}); d != "" {
		t.Errorf("the same in another order: %q", d)
	}
	if d := Difference(before, []string{"b", "c"}); d != "- a\n+ c\n" {
		t.Errorf("got %q", d)
	}
	if got, want := steady("inet 192.0.2.1/24 valid_lft 3599sec preferred_lft forever \n"), "inet 192.0.2.1/24 valid_lft preferred_lft forever"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
