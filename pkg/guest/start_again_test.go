package guest_test

import (
	"context"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest/holder"
	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// The monitor of a start that was given up has not ended yet when the next start comes.
func TestStartWhileOneIsGivenUp(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "dir")
	order, err := monitor.NewOrder()
	if err != nil {
		t.Fatal(err)
	}
	cfg := holder.Config{RunDir: in.dirs.Run, LogDir: in.dirs.Log, Base: "sysct-" + spec.Tag(in.dirs.State), Helper: helper}
	if _, err := holder.Start(context.Background(), cfg, "tiny", order.Plan, order.Theirs); err != nil {
		t.Fatal(err)
	}
	order.Theirs.Close()
	time.AfterFunc(300*time.Millisecond, order.Close)
	in.start("tiny")
}
