package journal

import (
	"errors"
	"fmt"
	"time"
)

// Run syncs until stop is closed: for waiters, and every second if eachSecond says so. After a sync that failed it calls failed, again and
// again.
func (j *Journal) Run(stop <-chan struct{}, eachSecond func() bool, failed func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-j.waiters.wake:
			j.serve()
		case <-tick.C:
			if eachSecond() {
				_ = j.Sync() // remembered, and reported below
			}
		}
		if err := j.Failed(); err != nil {
			failed(err)
		}
	}
}

// Sync makes durable all that is appended. One sync serves all waiters.
func (j *Journal) Sync() error {
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if err := j.Failed(); err != nil {
		return err
	}
	j.mu.Lock()
	end, cur, off := j.end.Load(), j.cur, j.off
	old := append([]*segment(nil), j.old...)
	j.mu.Unlock()
	done := j.durable.Load()
	if end == done {
		return nil
	}
	for _, s := range old {
		if to := uint64(s.start) + uint64(len(s.mem)); to > done {
			if err := s.file.Sync(syncFrom(s, done), len(s.mem)); err != nil {
				return j.fail(err)
			}
		}
	}
	from := syncFrom(cur, done)
	if from == 0 {
		cur.notePast()
	}
	if err := cur.file.Sync(from, off); err != nil {
		return j.fail(err)
	}
	j.syncs.Add(1)
	j.durable.Store(end)
	return nil
}

func syncFrom(s *segment, done uint64) int {
	if done <= uint64(s.start) {
		return 0
	}
	return min(int(done-uint64(s.start)), len(s.mem))
}

// fail keeps the first error: after a failed sync it is unknown what the disk has, so no later one may succeed.
func (j *Journal) fail(err error) error {
	err = fmt.Errorf("journal sync: %w", err)
	j.syncErr.CompareAndSwap(nil, &err)
	return err
}

// Failed is why the journal syncs no more, or nil.
func (j *Journal) Failed() error {
	if p := j.syncErr.Load(); p != nil {
		return *p
	}
	return nil
}

// reached says, of a journal that syncs no more, why what lies before pos is not durable, or nil if it is.
func (j *Journal) reached(pos Position) error {
	if uint64(pos) <= j.durable.Load() {
		return nil
	}
	return j.Failed()
}

// Notify has w told once everything up to pos is synced, or cannot be. After Close, which has synced all there will ever be,
// Notify tells w itself.
func (j *Journal) Notify(pos Position, w Waiter) {
	if !j.waiters.add(pos, w) {
		w.Durable(j.reached(pos))
	}
}

// serve syncs and tells the waiters. Called by Run and Close only, which do not overlap.
func (j *Journal) serve() {
	j.waiters.serve(func(w waiter) {
		var err error
		if uint64(w.pos) > j.durable.Load() {
			err = j.Sync()
		}
		w.w.Durable(err)
	})
}

// Release removes the segments before m: all they say is in the database, synced.
func (j *Journal) Release(m Mark) error {
	j.syncMu.Lock() // a sync may be about to touch them
	defer j.syncMu.Unlock()
	return j.release(m)
}

// release is Release under syncMu.
func (j *Journal) release(m Mark) error {
	j.mu.Lock()
	var gone []*segment
	keep := j.old[:0]
	for _, s := range j.old {
		if s.number < m.Segment {
			gone = append(gone, s)
		} else {
			keep = append(keep, s)
		}
	}
	clear(j.old[len(keep):])
	j.old = keep
	j.mu.Unlock()
	for _, s := range gone {
		if err := errors.Join(s.file.Close(), j.store.Remove(s.number)); err != nil {
			return fmt.Errorf("journal: release segment %d: %w", s.number, err)
		}
	}
	return nil
}

// Close syncs, tells the waiters, and closes the files. The caller has stopped Run and all appends.
func (j *Journal) Close() error {
	j.mu.Lock()
	close(j.stop)
	j.ready.Broadcast()
	j.mu.Unlock()
	j.done.Wait()
	err := j.Sync()
	j.waiters.end()
	j.serve()
	for _, s := range append(j.old, j.cur) {
		err = errors.Join(err, s.file.Close())
	}
	if j.next != nil {
		err = errors.Join(err, j.next.file.Close(), j.store.Remove(j.next.number))
	}
	return err
}
