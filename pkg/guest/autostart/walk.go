package autostart

// Walk does something with every guest of the plan, with up to jobs at a time (0: with
// as many as there are): as soon as those are done that it waits for, or in reverse, as
// soon as those are done that wait for it. It returns when all are done.
func (p *Plan) Walk(jobs int, reverse bool, do func(Node)) {
	waits := p.waits()
	if reverse {
		waits = reversed(waits)
	}
	left := make([]int, len(waits)) // how many are still waited for
	next := make([][]int, len(waits))
	var due []int
	for i, list := range waits {
		left[i] = len(list)
		for _, j := range list {
			next[j] = append(next[j], i)
		}
	}
	for k := range waits {
		i := k
		if reverse {
			i = len(waits) - 1 - k
		}
		if left[i] == 0 {
			due = append(due, i)
		}
	}
	if jobs < 1 {
		jobs = len(waits)
	}
	done := make(chan int)
	for running := 0; running+len(due) > 0; {
		for ; running < jobs && len(due) > 0; running++ {
			i := due[0]
			due = due[1:]
			go func() {
				do(p.Nodes[i])
				done <- i
			}()
		}
		i := <-done
		running--
		for _, j := range next[i] {
			if left[j]--; left[j] == 0 {
				due = append(due, j)
			}
		}
	}
}

// reversed turns who waits for whom.
func reversed(waits [][]int) [][]int {
	turned := make([][]int, len(waits))
	for i, list := range waits {
		for _, j := range list {
			turned[j] = append(turned[j], i)
		}
	}
	return turned
}
