package figures

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/views"
)

// cpus has the files that say which CPUs a guest has, and how much of them.
type cpus struct {
	set    file   // the numbers of those it may run on
	quota  []file // of the group and those above it: cpu.max, or v1's quota
	period []file // v1: of the same groups
	v1     bool
	have   []int // as last read, in order
	shown  int   // how many of them the guest sees
}

func (c *cpus) close() {
	c.set.close()
	closeAll(c.quota)
	closeAll(c.period)
}

// openCPUs opens the files. Without a cpuset controller all of the host's are meant.
func (s *Source) openCPUs() (err error) {
	c := &s.cpus
	dir, v1 := s.config.Groups.Of("cpuset")
	name := "cpuset.cpus.effective"
	if v1 {
		name = "cpuset.effective_cpus"
	}
	sets, err := openUp(dir, name)
	if err != nil {
		return err
	}
	if len(sets) > 0 {
		c.set = sets[0]
		closeAll(sets[1:])
	} else if c.set, err = openFile(unix.AT_FDCWD, "/sys/devices/system/cpu/online"); err != nil {
		return err
	}
	dir, c.v1 = s.config.Groups.Of("cpu")
	if !c.v1 {
		c.quota, err = openUp(dir, "cpu.max")
		return err
	}
	if c.quota, err = openUp(dir, "cpu.cfs_quota_us"); err != nil {
		return err
	}
	c.period, err = openUp(dir, "cpu.cfs_period_us")
	return err
}

// readCPUs sets the snapshot's CPUs.
func (s *Source) readCPUs() {
	c := &s.cpus
	if text := s.reader.read(c.set); len(text) > 0 {
		c.have = parseCPUs(c.have[:0], text)
	}
	if len(c.have) == 0 {
		c.have = append(c.have, 0) // no machine has none
	}
	c.shown = len(c.have)
	if quota := s.quota(); quota < uint64(c.shown) {
		c.shown = max(1, int(quota))
	}
	s.shot.CPUs = c.have[:c.shown]
}

// quota is the least number of whole CPUs that the quotas give.
func (s *Source) quota() uint64 {
	c, least := &s.cpus, views.None
	for i, f := range c.quota {
		text := s.reader.read(f)
		first, rest := field(text)
		quota, period := number(first), number(rest)
		if bytes.HasPrefix(first, []byte("-")) {
			quota = views.None // v1's word for none
		}
		if c.v1 {
			if period = 0; i < len(c.period) {
				period = number(s.reader.read(c.period[i]))
			}
		}
		if len(text) > 0 && period > 0 && quota < views.None {
			least = min(least, quota/period+min(1, quota%period))
		}
	}
	return least
}

// parseCPUs appends the CPUs of a list as "0-1,3". The kernel's lists ascend.
func parseCPUs(set []int, text []byte) []int {
	text, _ = line(text)
	for len(text) > 0 {
		var item []byte
		item, text, _ = bytes.Cut(text, []byte(","))
		low, high, isRange := bytes.Cut(item, []byte("-"))
		if len(low) == 0 {
			continue
		}
		first := number(low)
		last := first
		if isRange {
			last = number(high)
		}
		for cpu := first; cpu <= last && cpu < maxCPUs; cpu++ {
			if len(set) == 0 || int(cpu) > set[len(set)-1] {
				set = append(set, int(cpu))
			}
		}
	}
	return set
}

// maxCPUs is the largest number of CPUs that a kernel can be made for.
const maxCPUs = 8192
