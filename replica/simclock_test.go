package replica

import "container/heap"

// happening is something that is to happen at a time.
type happening struct {
	at, seq int64
	f       func()
}

// schedule has the next happening first.
type schedule []happening

func (s schedule) Len() int { return len(s) }

func (s schedule) Less(i, j int) bool {
	return s[i].at < s[j].at || s[i].at == s[j].at && s[i].seq < s[j].seq
}

func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func (s *schedule) Push(x any) { *s = append(*s, x.(happening)) }

func (s *schedule) Pop() any {
	old := *s
	x := old[len(old)-1]
	*s = old[:len(old)-1]
	return x
}

// after has f happen so many ms from now.
func (w *simWorld) after(ms int64, f func()) {
	w.seq++
	heap.Push(&w.schedule, happening{w.now + ms, w.seq, f})
}

// pass lets time pass, and happen what is due.
func (w *simWorld) pass(ms int64) {
	until := w.now + ms
	for len(w.schedule) > 0 && w.schedule[0].at <= until {
		h := heap.Pop(&w.schedule).(happening)
		w.now = max(w.now, h.at)
		h.f()
	}
	w.now = until
}

// skip lets time pass in which nothing happens.
func (w *simWorld) skip(ms int64) {
	w.now += ms
	for i := range w.schedule {
		w.schedule[i].at += ms
	}
}
