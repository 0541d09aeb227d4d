package main

import (
	"time"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/guest/state"
)

// reading is what all guests use at a moment, and how fast since the one before.
type reading struct {
	at      time.Time
	seconds float64 // since the reading before; 0: there was none
	rows    []topRow
}

// topRow is a running guest. Rates are nil in its first reading.
type topRow struct {
	Name       string       `json:"name"`
	State      state.State  `json:"state"`
	CPUPercent *float64     `json:"cpu_percent"`       // of one CPU
	Throttled  *float64     `json:"throttled_percent"` // of the quota's periods
	ReadRate   *float64     `json:"read_rate"`         // bytes a second
	WriteRate  *float64     `json:"write_rate"`
	RxRate     *float64     `json:"receive_rate"` // by the network, bytes a second
	TxRate     *float64     `json:"transmit_rate"`
	Usage      *guest.Usage `json:"usage"`

	life *time.Time
}

// topDocument is a reading in JSON.
type topDocument struct {
	Time    time.Time `json:"time"`
	Seconds float64   `json:"seconds"`
	Guests  []topRow  `json:"guests"`
}

func (r *reading) document() topDocument {
	return topDocument{Time: r.at.UTC().Truncate(time.Millisecond), Seconds: r.seconds, Guests: r.rows}
}

func newReading(last *reading, at time.Time, list []guest.Info) *reading {
	r := &reading{at: at, rows: []topRow{}}
	before := map[string]*topRow{}
	if last != nil {
		r.seconds = at.Sub(last.at).Seconds()
		for i := range last.rows {
			before[last.rows[i].Name] = &last.rows[i]
		}
	}
	for i := range list {
		info := &list[i]
		if info.Usage == nil {
			continue
		}
		row := topRow{Name: info.Name, State: info.State, Usage: info.Usage, life: info.StartedAt}
		if old := before[info.Name]; old != nil && r.seconds > 0 && sameLife(old.life, row.life) {
			row.rates(old.Usage, r.seconds)
		}
		r.rows = append(r.rows, row)
	}
	return r
}

// sameLife: counters begin anew with each.
func sameLife(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

func (row *topRow) rates(old *guest.Usage, seconds float64) {
	now := row.Usage
	row.CPUPercent = rate(old.CPU, now.CPU, seconds/100)
	if old.CPUPeriods != nil && now.CPUPeriods != nil && *now.CPUPeriods > *old.CPUPeriods {
		row.Throttled = rate(old.CPUThrottled, now.CPUThrottled, float64(*now.CPUPeriods-*old.CPUPeriods)/100)
	}
	if old.IO != nil && now.IO != nil {
		row.ReadRate = rate(&old.IO.ReadBytes, &now.IO.ReadBytes, seconds)
		row.WriteRate = rate(&old.IO.WriteBytes, &now.IO.WriteBytes, seconds)
	}
	if old.Network != nil && now.Network != nil {
		row.RxRate = rate(&old.Network.ReceiveBytes, &now.Network.ReceiveBytes, seconds)
		row.TxRate = rate(&old.Network.TransmitBytes, &now.Network.TransmitBytes, seconds)
	}
}

// rate is by how much a counter grew, in parts of per; never negative.
func rate[T int64 | float64](old, now *T, per float64) *float64 {
	if old == nil || now == nil {
		return nil
	}
	v := max(0, float64(*now-*old)/per)
	return &v
}
