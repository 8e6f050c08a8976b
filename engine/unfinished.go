package engine

import (
	"io"

	"atomiccounter/tlv"
)

// Open opens the store in dir, or creates it.
func Open(dir string, o Options) (*Engine, error) { panic("unfinished") }

// Close flushes everything and closes the store. Later calls of any method give ErrClosed.
func (e *Engine) Close() error { panic("unfinished") }

// Scan calls f with about count keys of the selected database from cursor on (0: the start); the key is only valid during
// the call. next is the cursor to go on with, below 2^53; 0: that was all.
func (p *Pipeline) Scan(cursor uint64, count int, f func(key []byte)) (next uint64, err error) {
	panic("unfinished")
}

// Keys calls f with every key of the selected database, which is only valid during the call.
func (p *Pipeline) Keys(f func(key []byte)) error { panic("unfinished") }

// RandomKey gives some key of the selected database.
func (p *Pipeline) RandomKey() (key []byte, ok bool, err error) { panic("unfinished") }

// FlushDB cancels every key of the selected database.
func (p *Pipeline) FlushDB() error { panic("unfinished") }

// FlushAll cancels every key of all databases.
func (p *Pipeline) FlushAll() error { panic("unfinished") }

// Apply merges a batch of another replica, durably, before it returns.
func (e *Engine) Apply(b *tlv.Batch) error { panic("unfinished") }

// Check verifies a stopped store, writes what it found to w, and changes nothing.
func Check(dir string, w io.Writer) error { panic("unfinished") }
