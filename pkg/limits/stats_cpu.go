package limits

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// CPU is a guest's CPU time, in µs since its groups were made.
type CPU struct {
	Usage, User, System int64

	// How the quota held the guest up: periods in which it wanted to run, those in which
	// its quota ran out, and the time that it waited, summed over the CPUs. nil
	// without the cpu controller.
	Periods, Throttled, ThrottledTime *int64

	Quota *CPUQuota // nil is no limit, or not wanted
	CPUs  CPUSet    // those that it may run on; nil if unknown or not wanted
}

// cpu reads the time from the v2 group: the kernel keeps it in every one, whether or
// not the cpu controller is enabled or on v1.
func (f Files) cpu(want Want) (*CPU, error) {
	c := &CPU{}
	if want.Has(WantCPU) {
		text, err := f.V2("cpu.stat")
		if err != nil {
			return nil, err
		}
		if err := c.times(flat{"cpu.stat", text}); err != nil {
			return nil, err
		}
		if read, v1 := f.of("cpu"); v1 {
			err = c.throttledV1(read)
		}
		if err != nil {
			return nil, err
		}
	}
	if want.Has(WantQuota) {
		if err := f.quota(c); err != nil {
			return nil, err
		}
	}
	if want.Has(WantCPUs) {
		if err := f.cpus(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *CPU) times(stat flat) (err error) {
	for _, v := range []struct {
		key  string
		into *int64
	}{{"usage_usec", &c.Usage}, {"user_usec", &c.User}, {"system_usec", &c.System}} {
		if *v.into, err = stat.value(v.key); err != nil {
			return err
		}
	}
	c.Periods, c.Throttled, c.ThrottledTime = stat.get("nr_periods"), stat.get("nr_throttled"), stat.get("throttled_usec")
	return nil
}

// throttledV1 reads cpu.stat of v1, which has nanoseconds.
func (c *CPU) throttledV1(read ReadFunc) error {
	stat, err := keys(read, "cpu.stat")
	if err != nil {
		return err
	}
	c.Periods, c.Throttled, c.ThrottledTime = stat.get("nr_periods"), stat.get("nr_throttled"), stat.get("throttled_time")
	if c.ThrottledTime != nil {
		*c.ThrottledTime /= 1000
	}
	return nil
}

func (f Files) quota(c *CPU) error {
	read, v1 := f.of("cpu")
	if v1 {
		var quota, period *int64
		if err := figures(read, figure{"cpu.cfs_quota_us", &quota}); err != nil || quota == nil || *quota <= 0 {
			return err
		}
		err := figures(read, figure{"cpu.cfs_period_us", &period})
		if err == nil && period != nil {
			c.Quota = &CPUQuota{Quota: *quota, Period: *period}
		}
		return err
	}
	text, err := read("cpu.max")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	words := strings.Fields(text)
	if len(words) != 2 {
		return fmt.Errorf("cannot parse cpu.max: %q", text)
	}
	if words[0] == "max" {
		return nil
	}
	quota, err1 := strconv.ParseInt(words[0], 10, 64)
	period, err2 := strconv.ParseInt(words[1], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("cannot parse cpu.max: %w", err)
	}
	c.Quota = &CPUQuota{Quota: quota, Period: period}
	return nil
}

func (f Files) cpus(c *CPU) error {
	read, v1 := f.of("cpuset")
	file := "cpuset.cpus.effective"
	if v1 {
		file = "cpuset.effective_cpus"
	}
	text, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.CPUs, err = ParseCPUSet(text); err != nil {
		return fmt.Errorf("cannot parse %s: %w", file, err)
	}
	return nil
}
