package store

import (
	"bytes"
	"cmp"
	"iter"

	"github.com/cockroachdb/pebble/v2"
)

// Scan walks over the records from lower on and before upper, in the order of their keys. Key and value are valid until the next record.
// The walk ends at the first error. After the loop err has that, unless the body has put one of its own there.
func Scan(r pebble.Reader, lower, upper []byte, err *error) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		it, failed := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if failed != nil {
			*err = failed
			return
		}
		defer func() { *err = cmp.Or(*err, failed, it.Close()) }()
		for ok := it.First(); ok; ok = it.Next() {
			var v []byte
			if v, failed = it.ValueAndErr(); failed != nil || !yield(it.Key(), v) {
				return
			}
		}
	}
}

// After is the least key that is greater than all keys that begin with prefix, of which some byte is below 255.
func After(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// Finder looks records up, one after the other. The zero value of it is ready. Close gives the memory back.
type Finder struct {
	From pebble.Reader
	it   *pebble.Iterator // nil: nothing was looked up yet
}

// byFilter are not those of a Get, which reads a data block of the lowest level even where the filter there knows that the key is new.
var byFilter = pebble.IterOptions{UseL6Filters: true}

// Find gives the value under k, which is valid until the next call. False: there is none.
func (f *Finder) Find(k []byte) (v []byte, ok bool, err error) {
	if f.it == nil {
		if f.it, err = f.From.NewIter(&byFilter); err != nil {
			return nil, false, err
		}
	}
	if !f.it.SeekPrefixGE(k) {
		return nil, false, f.it.Error()
	}
	v, err = f.it.ValueAndErr()
	return v, err == nil, err
}

// Close ends it.
func (f *Finder) Close() error {
	if f.it == nil {
		return nil
	}
	return f.it.Close()
}
