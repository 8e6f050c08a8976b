package journal

import "slices"

// pages are a part of a segment.
type pages struct {
	of       *segment
	from, to int
}

// touchAhead is how far ahead of the appends pages are asked for, in bytes.
const touchAhead = 4 << 20

// askTouch has the next pages made writable in the background: a page fault at the first write to each costs more than
// all the rest of its frames, and would be taken under the lock.
func (j *Journal) askTouch() {
	from := max(j.touched, j.off)
	to := min(j.off+touchAhead, len(j.cur.mem))
	if j.cur.buffered || from >= to {
		j.touched = len(j.cur.mem)
		return
	}
	select {
	case j.touch <- pages{j.cur, from, to}:
		j.touched = to
	default:
	}
}

func (j *Journal) toucher() {
	defer j.done.Done()
	for {
		select {
		case <-j.stop:
			return
		case p := <-j.touch:
			j.touchNow(p)
		}
	}
}

// touchNow touches pages, unless their segment is gone.
func (j *Journal) touchNow(p pages) {
	j.syncMu.Lock() // it cannot go meanwhile
	defer j.syncMu.Unlock()
	j.mu.Lock()
	here := p.of == j.cur || slices.Contains(j.old, p.of)
	j.mu.Unlock()
	if here {
		p.of.file.Touch(p.from, p.to)
	}
}
