package engine

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/lockorder"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// Snapshot is the state of all keys at one moment, with the version vector that goes with it: the source of a state
// transfer. It holds no memory, but disk space, until it is closed; close it before the engine.
type Snapshot struct {
	Vector tlv.Vector
	Keys   int64 // states in it, or a little more or less

	parted []tlv.ReplicaID // who contribute nothing to it

	mu   lockorder.Mutex
	e    *Engine
	snap *pebble.Snapshot // nil: closed
}

// Snapshot takes one, without what is not Shared. ErrHeld: this store does not know yet whether its history is true. In the middle of a state transfer it has
// more of some keys than its vector says, all of it true.
func (e *Engine) Snapshot() (*Snapshot, error) {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.enterScan(); err != nil {
		return nil, err
	}
	defer e.scans.RUnlock()
	if err := e.Failed(); err != nil {
		return nil, err
	}
	if c.awaiting {
		return nil, ErrHeld
	}
	if err := c.giveAway(); err != nil {
		return nil, err
	}
	parted := e.history.Parted()
	s := &Snapshot{Vector: without(c.vector, parted), parted: parted, e: e, snap: e.db.NewSnapshot()}
	lockorder.Place(&s.mu, e.table, lockorder.Snapshot, "")
	for _, n := range c.count {
		s.Keys += n
	}
	return s, nil
}

// Page gives the keys after cursor, which a page before gave as next, in the order of this store, but tokens first: tlv deltas, about maxBytes
// of them, at least one if there is any. An empty next says that this was the last page. keys is how many there are in it.
func (s *Snapshot) Page(cursor []byte, maxBytes int) (page, next []byte, keys int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snap == nil {
		return nil, nil, 0, ErrClosed
	}
	if err := s.e.enterScan(); err != nil {
		return nil, nil, 0, err
	}
	defer s.e.scans.RUnlock()
	w := pageWalk{snap: s.snap, parted: s.parted, maxBytes: maxBytes}
	lower := []byte{store.StatePrefix}
	if len(cursor) > 0 {
		lower = append(append(lower, cursor...), 0)
	}
	if len(cursor) == 0 || isToken(string(cursor)) {
		err = w.some(slices.MaxFunc([][]byte{lower, firstToken}, bytes.Compare), []byte{store.StatePrefix + 1})
		lower = []byte{store.StatePrefix}
	}
	if err == nil && !w.full {
		err = w.some(lower, firstToken)
	}
	if w.full {
		next = w.last
	}
	return w.page, next, w.keys, err
}

// firstToken is where the states of tokens begin, which are the last in the store. A snapshot has them first: who has got an
// increment from it has its token too.
var firstToken = []byte{store.StatePrefix, tlv.TokenByte(0)}

// pageWalk collects a page.
type pageWalk struct {
	snap     *pebble.Snapshot
	parted   []tlv.ReplicaID
	maxBytes int
	page     []byte
	keys     int64
	last     []byte // the key of the last state in page, as a cursor
	full     bool   // there is more
}

// some adds the states of a part of the store.
func (w *pageWalk) some(lower, upper []byte) (err error) {
	for k, v := range store.Scan(w.snap, lower, upper, &err) {
		if len(w.page) >= w.maxBytes {
			w.full = true
			break
		}
		if w.page, err = appendStored(w.page, k, v, w.parted); err != nil {
			break
		}
		w.last = append(w.last[:0], k[1:]...)
		w.keys++
	}
	return err
}

// appendStored appends the delta of a stored state, without contributions of some. If nothing is left there is none.
func appendStored(page, k, v []byte, without []tlv.ReplicaID) ([]byte, error) {
	if len(v) == 0 {
		return page, nil
	}
	state, err := tlv.ParseState(v)
	if err != nil {
		return page, err
	}
	if dropContributions(&state, without); state.Empty() {
		return page, nil
	}
	key, ok := store.KeyOf(k)
	if !ok {
		return page, fmt.Errorf("key % x of a state is malformed", k)
	}
	return tlv.AppendDelta(page, &tlv.Delta{Key: key, State: state}), nil
}

func dropContributions(s *tlv.State, of []tlv.ReplicaID) {
	s.Contributions = slices.DeleteFunc(s.Contributions, func(c tlv.Contribution) bool { return slices.Contains(of, c.Replica) })
}

// Close lets go of it. A second Close does nothing.
func (s *Snapshot) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snap == nil {
		return nil
	}
	snap := s.snap
	s.snap = nil
	return snap.Close()
}
