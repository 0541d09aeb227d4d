package guest

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits"
)

// monitorTables are the tables whose live keys the guest's monitor has to put into effect.
// All other live keys are read from the file by whoever goes by them.
func monitorTables() []string { return []string{"limits", "net", "publish"} }

// putLive says whether a change of a key has to be put into effect in a running guest, and
// can be.
func putLive(key, change string) bool {
	return change == "live" && slices.Contains(monitorTables(), tableOf(key))
}

// tableOf is the table at the top that a key is in: net of net[0].mtu.
func tableOf(key string) string {
	table, _, _ := strings.Cut(key, ".")
	table, _, _ = strings.Cut(table, "[")
	return table
}

// compare finds out what has become of each key since the plan was made, and gives what is to
// be noted when what is live was changed: what waits for a restart stays as it was noted, so
// that it is told again.
func (a *Applying) compare(cfg *spec.Guest, lim limits.Limits, net *liveNetwork, refused map[string]string) (noted map[string]string) {
	was := a.plan.Config
	if a.Partial = was == nil; a.Partial {
		was = spec.Texts(cfg)
		if !reflect.DeepEqual(lim, a.plan.Limits) {
			was = withoutLimits(was)
		}
	}
	noted = maps.Clone(was)
	for _, d := range spec.Differences(was, cfg) {
		k := KeyChange{Key: d.Key, From: d.From, To: d.To, Effect: KeyRestart}
		if d.Secret {
			k.From, k.To = hideValue(d.From), hideValue(d.To)
		}
		switch reason, bad := refused[d.Key]; {
		case bad:
			k.Effect, k.Reason = KeyRefused, reason
			delete(refused, d.Key)
		case isNetwork(d.Key) && net.err != nil:
			k.Effect, k.Reason = KeyRefused, strings.TrimPrefix(oneLine(net.err), d.Key+": ")
		case isNetwork(d.Key) && !net.possible: // counts from the next start on
		case putLive(d.Key, d.Change):
			net.wanted = net.wanted || isNetwork(d.Key)
			k.Effect = KeyLive
			note(noted, d.Key, d.To)
		case d.Change == "live":
			continue // it counts since it was written
		}
		a.Keys = append(a.Keys, k)
	}
	// What wasn't changed and can't be any more, as a CPU that went offline.
	for _, key := range slices.Sorted(maps.Keys(refused)) {
		if strings.HasPrefix(key, "limits") {
			a.Keys = append(a.Keys, KeyChange{Key: key, Effect: KeyRefused, Reason: refused[key]})
		}
	}
	return noted
}

// note writes down what a key is now. One that is gone is not to be missed again.
func note(noted map[string]string, key, text string) {
	noted[key] = text
	if text == "" {
		delete(noted, key)
	}
}

func withoutLimits(texts map[string]string) map[string]string {
	maps.DeleteFunc(texts, func(key, _ string) bool { return strings.HasPrefix(key, "limits.") })
	return texts
}

func hideValue(text string) string {
	if text == "" {
		return ""
	}
	return hidden
}
