package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"atomiccounter/engine/journal"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// meta is the record under m: what a flush commits beside the deltas.
type meta struct {
	id      tlv.ReplicaID
	seed    [2]uint64
	clock   tlv.Stamp
	mark    journal.Mark
	flags   uint64
	count   [Databases]int64
	countEx [Databases]int64
	vector  tlv.Vector
}

// Flags of meta.
const (
	metaLogging    = 1 << iota // there is, or was, a peer: the replication log is kept
	metaUnscrubbed             // dead states may be left that nobody will touch again: see Scrub
	metaHashes                 // entries of the vector have hashes: not so in a store of before format 4
	metaJoining                // made by a start with AwaitPeers, and has not had all of a peer's state since: see Joining
	metaGiven                  // a state of this store has left it, as a snapshot or a backup
	metaFlags
)

func (m *meta) encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(m.id))
	for _, v := range []uint64{m.seed[0], m.seed[1], uint64(m.clock), m.mark.Segment, m.mark.Offset, uint64(m.mark.Sum), m.flags} {
		b = le.AppendUint64(b, v)
	}
	for i := range m.count {
		b = le.AppendUint64(le.AppendUint64(b, uint64(m.count[i])), uint64(m.countEx[i]))
	}
	return tlv.AppendVector(b, m.vector)
}

const metaFixed = 8*8 + Databases*16

func (m *meta) decode(b []byte) (err error) {
	if len(b) < metaFixed {
		return errors.New("metadata is corrupt")
	}
	next := func() uint64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return v
	}
	m.id = tlv.ReplicaID(next())
	m.seed = [2]uint64{next(), next()}
	m.clock = tlv.Stamp(next())
	m.mark = journal.Mark{Segment: next(), Offset: next(), Sum: uint32(next())}
	m.flags = next()
	for i := range m.count {
		m.count[i], m.countEx[i] = int64(next()), int64(next())
	}
	if m.vector, err = parseVector(b, m.flags); err != nil {
		return fmt.Errorf("metadata is corrupt: %w", err)
	}
	if m.id == 0 || m.flags >= metaFlags {
		return errors.New("metadata is corrupt: no replica ID, or unknown flags")
	}
	return nil
}

// readState gives what the database has of a key.
func (e *Engine) readState(at store.Place, key string) (s tlv.State, err error) {
	var b [128]byte
	err = e.lookUp(store.StateKey(b[:0], at, key), key, func(v []byte) (err error) {
		s, err = tlv.ParseState(v)
		return err
	})
	return s, err
}

// lookUp has read read what the database has under k, if it has that, which is of a key.
func (e *Engine) lookUp(k []byte, key string, read func(value []byte) error) error {
	f := store.Finder{From: e.db}
	v, ok, err := f.Find(k)
	if ok {
		err = read(v)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		err = fmt.Errorf("read %q: %w", key[1:], err)
	}
	return err
}

// read fills a placeholder, which the caller holds exclusively.
func (e *Engine) read(en *entry) error {
	s, err := e.readState(en.place(), en.key())
	if err != nil {
		return err
	}
	n, err := e.readFields(en)
	if err != nil {
		return err
	}
	v := s.View()
	en.setBooks(e.booksOf(&v))
	e.known(en, n)
	en.state().SetStored(e.self.id, s)
	en.rare.open.refreshed = e.Now()
	e.show(en)
	e.closeLeftover(en)
	return nil
}

// forget makes the visible counts say what is stored, for an entry that leaves the cache with something not taken in.
func (e *Engine) forget(en *entry) {
	b := en.books()
	e.counts.tally(en, b.exists, b.index != 0)
	e.stale.unlist(en)
	if en.stale() { // whoever loads the key sees it
		e.report(en, Arrived)
	}
}
