package shape

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// A bucket is what a token bucket filter (tc-tbf(8)) is set to.
type bucket struct {
	rate  uint64 // bytes a second
	ticks uint32 // how long what may be sent at once takes at the rate, in the kernel's ticks
	limit uint32 // bytes that may wait
}

const (
	// tick is the kernel's unit of time here: PSCHED_SHIFT of net/pkt_sched.h.
	tick = 64 * time.Nanosecond
	// burst is what may be sent at once, as time at the rate: so long the processor may
	// be busy with other things before the rate isn't reached.
	burst = 5 * time.Millisecond
	// queue is how long what waits may take, as time at the rate: TCP fills it, and needs
	// it to reach the rate.
	queue = 50 * time.Millisecond
	// At a low rate frames count, not time: two at once, and as many in the queue as TCP wants
	// to find out how fast it may be without having to wait for its timeouts.
	leastBurst, leastQueue = 2, 16
	// mostQueue bounds the memory that a queue takes: bytes.
	mostQueue = 16 << 20
	// header is what a frame has besides what the MTU counts: Ethernet, a VLAN's tag, a checksum.
	header = 14 + 4 + 4
	// mostTicks is the longest time that the kernel knows a burst by: 32 bits of nanoseconds.
	mostTicks = uint64(math.MaxUint32 * time.Nanosecond / tick)
)

// bucketOf has 90 to 100 % of a rate of bits a second for a stream of TCP. A burst has room for
// a whole frame, or none would ever be sent.
func bucketOf(bits uint64, mtu int) (bucket, error) {
	rate, frame := max(bits/8, 1), uint64(mtu+header)
	size := max(during(burst, rate), leastBurst*frame)
	ticks := min(ticksOf(size, rate), mostTicks)
	if ticks < ticksOf(frame, rate) {
		return bucket{}, fmt.Errorf("%d bit/s are too few for frames of %d bytes: %w", bits, frame, unix.EINVAL)
	}
	wait := min(max(during(queue, rate), leastQueue*frame), mostQueue)
	return bucket{rate: rate, ticks: uint32(ticks), limit: uint32(wait + size)}, nil
}

// during is how many bytes are sent in a time of under a second.
func during(d time.Duration, rate uint64) uint64 { return rate / uint64(time.Second/d) }

// ticksOf is the time that bytes take at a rate. One more: the kernel rounds down when it
// reckons the bytes from it.
func ticksOf(bytes, rate uint64) uint64 {
	return uint64(float64(bytes)*float64(time.Second/tick)/float64(rate)) + 1
}
