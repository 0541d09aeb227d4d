package limits

import (
	"reflect"
	"testing"
)

func TestBounds(t *testing.T) {
	v2 := map[string]string{
		"../cpu.weight": "200\n", "../io.weight": "default 50\n8:0 300\n",
		"io.max": "8:0 rbps=1048576 wbps=max riops=max wiops=100\n7:1 rbps=max wbps=5 riops=max wiops=max\n",
	}
	v1 := map[string]string{
		"cpu.shares": "2048\n", "blkio.bfq.weight": "50\n", "blkio.throttle.read_bps_device": "8:0 1048576\n",
		"blkio.throttle.write_bps_device": "7:1 5\n", "blkio.throttle.write_iops_device": "8:0 100\n", "blkio.throttle.read_iops_device": "",
	}
	devices := []IODevice{{Major: 8, ReadBPS: 1 << 20, WriteIOPS: 100}, {Major: 7, Minor: 1, WriteBPS: 5}}
	want := &Bounds{ptr(200), IO{Weight: ptr(50), Devices: devices}}
	for name, f := range map[string]Files{"v2": on(v2, nil), "v1": on(nil, v1, "cpu", "blkio")} {
		if got, err := f.Read(WantBounds); err != nil || !reflect.DeepEqual(got.Bounds, want) {
			t.Errorf("%s: got %+v, %v", name, got.Bounds, err)
		}
	}
	for name, f := range map[string]Files{
		"nothing": on(nil, nil), "the usual": on(map[string]string{"../cpu.weight": "100\n", "../io.bfq.weight": "default 100\n", "io.max": ""}, nil),
		"the usual of v1": on(nil, map[string]string{"cpu.shares": "1024\n", "blkio.bfq.weight": "100\n"}, "cpu", "blkio"),
	} {
		if got, err := f.Read(WantBounds); err != nil || !reflect.DeepEqual(got.Bounds, &Bounds{}) {
			t.Errorf("%s: got %+v, %v", name, got.Bounds, err)
		}
	}
	for weight := int64(1); weight <= maxWeight; weight += 33 {
		l := Limits{CPUWeight: &weight, IO: IO{Weight: &weight}}
		text := map[string]string{"cpu.shares": shares(&l), "blkio.bfq.weight": bfq(&l)}
		got, err := on(nil, text, "cpu", "blkio").Read(WantBounds)
		if err != nil || *orUsual(got.Bounds.CPUWeight) != weight || weight-*orUsual(got.Bounds.IO.Weight) > 11 {
			t.Errorf("of %d comes %+v, %v", weight, got.Bounds, err)
		}
	}
	for file, text := range map[string]string{"io.max": "8 rbps=1", "../cpu.weight": "x", "../io.weight": "default x"} {
		if _, err := on(map[string]string{file: text}, nil).Read(WantBounds); err == nil {
			t.Errorf("%s: %q is taken", file, text)
		}
	}
}

func orUsual(n *int64) *int64 {
	if n == nil {
		return ptr(100)
	}
	return n
}

func TestHugepages(t *testing.T) {
	v2 := map[string]string{"hugetlb.2MB.current": "2097152\n", "hugetlb.2MB.max": "4194304\n", "hugetlb.1GB.current": "0\n", "hugetlb.1GB.max": "max\n", "hugetlb.64KB.current": "0\n", "hugetlb.64KB.max": "9223372036854771712\n"}
	v1 := map[string]string{
		"hugetlb.2MB.usage_in_bytes": "2097152\n", "hugetlb.2MB.limit_in_bytes": "4194304\n",
		"hugetlb.1GB.usage_in_bytes": "0\n", "hugetlb.1GB.limit_in_bytes": "9223372036854771712\n",
	}
	want := []Hugepages{{"2MB", 2 << 20, ptr(4 << 20)}}
	for name, f := range map[string]Files{"v2": on(v2, nil), "v1": on(nil, v1, "hugetlb"), "nothing": on(nil, nil)} {
		f.PageSizes = []string{"1GB", "2MB", "64KB"}
		got, err := f.Read(WantHugepages)
		if err != nil || name != "nothing" && !reflect.DeepEqual(got.Hugepages, want) || name == "nothing" && got.Hugepages != nil {
			t.Errorf("%s: got %+v, %v", name, got.Hugepages, err)
		}
	}
}
