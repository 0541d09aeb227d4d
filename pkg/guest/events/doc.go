// Package events is the log of what happens to the guests of an instance: one line of
// JSON an event, appended by monitors and verbs, kept over the host's boots, bounded.
//
//	LOG/events.jsonl      is appended to
//	LOG/events.jsonl.1    the one before it
//	LOG/events.lock       exclusive: an append, with a rotation; shared: a look at both
//
// Every line has a number, one more than the one before it, so that a reader knows when
// it has missed some. [Follow] reads without polling. The package knows what may be said
// of a guest and not who says it; it is not the place for the text that people read.
package events
