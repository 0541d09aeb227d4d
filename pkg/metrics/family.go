// Package metrics writes what guests use in the text format of OpenMetrics 1.0, and in
// the older one of Prometheus (0.0.4) for those who read nothing else, such as the textfile
// collector of node-exporter. It reads nothing itself and serves nobody.
package metrics

import (
	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// kind is what a family's figures are.
type kind string

const (
	gauge   kind = "gauge"
	counter kind = "counter"
	info    kind = "info" // a 1 whose labels are what is to be known
)

// family is one metric of all guests.
type family struct {
	name string // without the suffix of its kind; ends with its unit, if it has one
	unit string
	kind kind
	help string
	of   func(*guest.Info) []sample
}

// sample is one figure of one guest.
type sample struct {
	labels []label // besides the guest's name
	value  float64
}

type label struct{ name, value string }

// families are all that is written, in the order in which it is.
func families() []family {
	all := []family{
		{name: "sysct_guest", kind: info, help: "What the guest is.", of: guestInfo},
		{name: "sysct_guest_running", kind: gauge, help: "Whether the guest runs, frozen or not.", of: func(i *guest.Info) []sample { return truth(isUp(i)) }},
		{name: "sysct_guest_frozen", kind: gauge, help: "Whether the guest is frozen.", of: func(i *guest.Info) []sample { return truth(i.State == state.Frozen) }},
		{name: "sysct_guest_ready", kind: gauge, help: "Whether the guest is up.", of: ready},
		{name: "sysct_guest_started_timestamp_seconds", unit: "seconds", kind: gauge, help: "When this life of the guest began, in Unix time.", of: started},
		{name: "sysct_guest_boots", kind: counter, help: "Boots in this life of the guest.", of: boots},
	}
	return append(append(append(all, cpuFamilies()...), memoryFamilies()...), otherFamilies()...)
}

func isUp(i *guest.Info) bool { return i.State != state.Stopped }

func truth(is bool) []sample {
	if is {
		return []sample{{value: 1}}
	}
	return []sample{{value: 0}}
}

func guestInfo(i *guest.Info) []sample {
	s := sample{value: 1}
	for _, l := range []struct {
		name  string
		value *string
	}{{"template", i.Template}, {"image", i.Image}, {"backend", i.Backend}} {
		if l.value != nil {
			s.labels = append(s.labels, label{l.name, *l.value})
		}
	}
	return []sample{s}
}

func ready(i *guest.Info) []sample {
	if i.Ready == nil {
		return nil
	}
	return truth(*i.Ready)
}

func started(i *guest.Info) []sample {
	if i.StartedAt == nil {
		return nil
	}
	return []sample{{value: float64(i.StartedAt.UnixMilli()) / 1000}}
}

func boots(i *guest.Info) []sample {
	if i.Boots == nil {
		return nil
	}
	return []sample{{value: float64(*i.Boots)}}
}

// one is a family of one figure a guest.
func one[T int64 | float64](name, unit string, k kind, help string, of func(*guest.Usage) *T) family {
	return family{name: name, unit: unit, kind: k, help: help, of: func(i *guest.Info) []sample {
		v := of(i.Use())
		if v == nil {
			return nil
		}
		return []sample{{value: float64(*v)}}
	}}
}
