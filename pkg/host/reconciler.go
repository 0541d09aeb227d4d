package host

import "context"

// Reconciler keeps one part of the host as the configuration wants it.
type Reconciler interface {
	// Name is what it is called in the log.
	Name() string
	// Reconcile brings its part there from whatever it finds: it is called when the
	// service begins, and whenever the configuration is to be read again. What takes
	// long goes on behind it, until ctx ends. An error doesn't keep the others from
	// their turn.
	Reconcile(ctx context.Context) error
	// Close is called when the service ends, after ctx of Reconcile has ended. It waits
	// until nothing is under way any more and takes back what mustn't outlast the
	// service, unless that is to be kept for the next one.
	Close(ctx context.Context, keep bool) error
}

// Preparer is a Reconciler that has something to do before the service is ready.
type Preparer interface {
	Prepare(ctx context.Context) error
}

// Trigger is a Reconciler that asks for a turn by itself.
type Trigger interface {
	// Changed gets a value when there is something to reconcile.
	Changed() <-chan struct{}
}
