package guest

import "errors"

// step is one of a verb's, with what takes it back.
type step struct {
	name string
	do   func() error
	undo func() error
}

// run does the steps in order. When one fails, those done before it are taken
// back, the last first; what can't be taken back is said with the cause.
func run(steps []step) error {
	for i, s := range steps {
		err := failpoint(s.name)
		if err == nil {
			err = s.do()
		}
		if err == nil {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			if steps[j].undo != nil {
				err = errors.Join(err, steps[j].undo())
			}
		}
		return err
	}
	return nil
}
