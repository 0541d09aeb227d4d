package guest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/context/mend"
	"github.com/sysct/sysct/pkg/doctor"
)

// missingViews are those of the views that a running guest was started with which its init
// doesn't see. What can't be found out, as of a guest that ends just now, is none.
func (m *Manager) missingViews(ctx context.Context, name string, pid int) []string {
	plan, err := m.runningPlan(ctx, name)
	if err != nil || len(plan.Context.Views) == 0 {
		return nil
	}
	mountinfo, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil || len(mountinfo) == 0 {
		return nil
	}
	missing := mend.Missing(string(mountinfo), plan.Context.Views, sysctx.ViewSource)
	return slices.DeleteFunc(missing, func(view string) bool {
		_, err := os.Lstat("/" + view) // a kernel without it has nothing to be covered
		return err != nil
	})
}

func checkViews(p *patient) *doctor.Finding {
	if len(p.views) == 0 {
		return nil
	}
	return found(doctor.Warning, "its programs see the host's figures there: the guest's root has unmounted what showed its own, or it couldn't be mounted at the start",
		"sysct restart "+p.name, "not its own: /%s", strings.Join(p.views, " /"))
}
