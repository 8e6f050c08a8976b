package stats

import "time"

// Round gathers what a connection's round did, so that an increment costs no clock and no shared memory: fast commands are
// counted, and share the time of their round evenly.
type Round struct {
	rows [8]struct {
		row *Row
		n   int64
	}
	used         int
	n            int64         // calls in rows
	began        time.Duration // of the first call
	Hits, Misses int64         // of reads of keys
	Apart        time.Duration // of the round, taken by commands that were timed on their own
}

// Begins says that no call was counted yet in this round.
func (r *Round) Begins() bool { return r.n == 0 }

// Begin says when the first call of the round began.
func (r *Round) Begin(at time.Duration) { r.began = at }

// Count counts a call of a fast command.
func (r *Round) Count(row *Row) {
	for i := range r.used {
		if r.rows[i].row == row {
			r.rows[i].n++
			r.n++
			return
		}
	}
	if r.used == len(r.rows) {
		row.Add(1, 0)
		return
	}
	r.rows[r.used].row, r.rows[r.used].n = row, 1
	r.used++
	r.n++
}

// End adds the round to the figures of all. All calls of it took until now, together.
func (r *Round) End(s *Stats, now time.Duration) {
	if r.n > 0 {
		share := max(int64(now-r.began-r.Apart), 0) / r.n
		for i := range r.used {
			of := &r.rows[i]
			of.row.Add(of.n, share*of.n)
		}
		r.used, r.n, r.Apart = 0, 0, 0
	}
	if r.Hits+r.Misses > 0 {
		s.Hits.Add(r.Hits)
		s.Misses.Add(r.Misses)
		r.Hits, r.Misses = 0, 0
	}
}
