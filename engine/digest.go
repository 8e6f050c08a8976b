package engine

import (
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// Digests say what a store shows of some keys at one moment, for a comparison with another store.
type Digests struct {
	Keys   []string // of the engine (tlv.ValidateKey)
	Sums   []uint64 // of each; 0: it shows nothing
	Vector tlv.Vector
	Next   []byte // where the next page begins; nil: nowhere
}

// Bounds of a page of Digests.
const (
	maxDigests     = 1000     // keys
	maxDigestNames = 64 << 10 // bytes of their names, or one key
	maxDigestLook  = 4 << 10  // states that are looked at
)

// DigestPage looks at the keys from a place on that show something; nil: from the beginning. ErrHeld: what is stored is not
// what the vector says, for a state is being fetched, or the peers have not confirmed the store yet.
func (e *Engine) DigestPage(from []byte) (d Digests, err error) {
	if from == nil {
		from = []byte{store.StatePrefix}
	}
	err = e.digest(&d, func(snap *pebble.Snapshot) (err error) {
		names, looked := 0, 0
		for k, v := range store.Scan(snap, from, []byte{store.StatePrefix + 1}, &err) {
			if len(d.Keys) == maxDigests || names >= maxDigestNames || looked == maxDigestLook {
				d.Next = slices.Clone(k)
				break
			}
			looked++
			var sum uint64
			if sum, err = digestOf(v); err != nil {
				break
			}
			if key, ok := store.KeyOf(k); ok && sum != 0 {
				d.Keys, d.Sums = append(d.Keys, string(key)), append(d.Sums, sum)
				names += len(key)
			}
		}
		return err
	})
	return d, err
}

// Digest looks at keys, which are valid. ErrHeld is as of DigestPage.
func (e *Engine) Digest(keys []string) (d Digests, err error) {
	d.Keys = keys
	err = e.digest(&d, func(snap *pebble.Snapshot) (err error) {
		f := store.Finder{From: snap}
		for i := 0; i < len(keys) && err == nil; i++ {
			var v []byte
			var sum uint64
			if v, _, err = f.Find(store.StateKey(nil, e.self.place([]byte(keys[i])), keys[i])); err == nil {
				sum, err = digestOf(v)
			}
			d.Sums = append(d.Sums, sum)
		}
		return errors.Join(err, f.Close())
	})
	return d, err
}

// digest has read read what is stored at this moment, and fills in the vector of it.
func (e *Engine) digest(d *Digests, read func(*pebble.Snapshot) error) error {
	snap, v, err := e.moment()
	if err != nil {
		return err
	}
	defer e.scans.RUnlock()
	d.Vector = v
	return errors.Join(read(snap), snap.Close())
}

// moment is what is stored now, and the vector of just that. If there is no error, the caller ends the scan.
func (e *Engine) moment() (*pebble.Snapshot, tlv.Vector, error) {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.Failed(); err != nil {
		return nil, nil, err
	}
	if c.awaiting || c.transfer.Running {
		return nil, nil, ErrHeld
	}
	if err := e.enterScan(); err != nil {
		return nil, nil, err
	}
	return e.db.NewSnapshot(), slices.Clone(c.vector), nil
}

// digestOf is that of a stored state.
func digestOf(v []byte) (uint64, error) {
	if len(v) == 0 {
		return 0, nil
	}
	s, err := tlv.ParseState(v)
	if err != nil {
		return 0, err
	}
	return s.Digest(), nil
}
