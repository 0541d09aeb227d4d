package shape

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		bits uint64
		mtu  int
		want bucket
	}{
		{8_000, 1500, bucket{1000, 47_562_501, 27_396}}, // two frames at once, which take three seconds, and 16 that wait
		{1_000_000, 1500, bucket{125_000, 380_501, 27_396}},
		{100_000_000, 1500, bucket{12_500_000, 78_126, 687_500}}, // five and 50 milliseconds
		{10_000_000_000, 1500, bucket{1_250_000_000, 78_126, 23_027_216}},
		{400_000_000_000, 1500, bucket{50_000_000_000, 78_126, 266_777_216}},
		{8_000, 4000, bucket{1000, 67_108_863, 72_396}}, // what the kernel can count, a little more than a frame
	} {
		if got, err := bucketOf(c.bits, c.mtu); got != c.want || err != nil {
			t.Errorf("%d bit/s at %d: %+v, %v; want %+v", c.bits, c.mtu, got, err, c.want)
		}
	}
	if b, err := bucketOf(8_000, 9000); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a rate at which a frame takes nine seconds: %+v, %v", b, err)
	}
}
