package holder

import (
	"fmt"
	"os"
	"time"

	"github.com/sysct/sysct/pkg/guest/console"
)

// logger writes lines with a time into holder.log, which is rotated. It never
// fails: a holder works without a log.
type logger struct{ log *console.Log }

func newLogger(dir string) *logger {
	if dir == "" {
		return &logger{}
	}
	d, err := os.Open(dir)
	if err != nil {
		return &logger{}
	}
	defer d.Close()
	log, err := console.NewLog(int(d.Fd()), logName, console.LogOptions{Files: 2})
	if err != nil {
		return &logger{}
	}
	return &logger{log}
}

func (l *logger) printf(format string, args ...any) {
	if l.log == nil {
		return
	}
	now := time.Now()
	line := now.UTC().Format("2006-01-02T15:04:05.000Z ")
	l.log.Write(now, fmt.Appendf([]byte(line), format+"\n", args...))
}
