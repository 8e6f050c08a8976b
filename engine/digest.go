package engine

import (
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

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
		from = []byte{statePrefix}
	}
	err = e.digest(&d, from, func(it *pebble.Iterator) error {
		names := 0
		for ok, looked := it.First(), 0; ok; ok, looked = it.Next(), looked+1 {
			if len(d.Keys) == maxDigests || names >= maxDigestNames || looked == maxDigestLook {
				d.Next = slices.Clone(it.Key())
				return nil
			}
			sum, err := digestOf(it)
			if err != nil {
				return err
			}
			if key, ok := keyOf(it.Key()); ok && sum != 0 {
				d.Keys, d.Sums = append(d.Keys, string(key)), append(d.Sums, sum)
				names += len(key)
			}
		}
		return nil
	})
	return d, err
}

// Digest looks at keys, which are valid. ErrHeld is as of DigestPage.
func (e *Engine) Digest(keys []string) (d Digests, err error) {
	d.Keys = keys
	err = e.digest(&d, []byte{statePrefix}, func(it *pebble.Iterator) error {
		for _, key := range keys {
			sum := uint64(0)
			if it.SeekPrefixGE(stateKey(nil, e.self.place([]byte(key)), key)) {
				var err error
				if sum, err = digestOf(it); err != nil {
					return err
				}
			}
			d.Sums = append(d.Sums, sum)
		}
		return it.Error()
	})
	return d, err
}

// digest has read read what is stored from a place on, and fills in the vector of that moment.
func (e *Engine) digest(d *Digests, from []byte, read func(*pebble.Iterator) error) error {
	snap, v, err := e.moment()
	if err != nil {
		return err
	}
	defer e.scans.RUnlock()
	d.Vector = v
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{statePrefix + 1}})
	if err == nil {
		err = errors.Join(read(it), it.Error(), it.Close())
	}
	return errors.Join(err, snap.Close())
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

// digestOf is that of the state at it.
func digestOf(it *pebble.Iterator) (uint64, error) {
	v, err := it.ValueAndErr()
	if err != nil || len(v) == 0 {
		return 0, err
	}
	s, err := tlv.ParseState(v)
	if err != nil {
		return 0, err
	}
	return s.Digest(), nil
}
