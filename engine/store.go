package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"atomiccounter/engine/journal"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// Keys of the database, by their first byte:
//
//	f  database  hash (8 B)  key       the number of live fields of a hash (8 B), where there are any
//	m                                  metadata, one record (meta)
//	h                                  lives and former IDs of this replica, one record (package history)
//	l  replica  stamp  prev  hash (8 B each, big-endian)  keys (4 B)   a batch (tlv.AppendBatch): the replication log
//	n  name                            a small setting (Remember)
//	s  place  key                      state of a key (tlv.AppendState), set or merged
//	t                                  the state transfer that is not finished, one record (transfer)
//	u  place  key                      met in that transfer
//	x  at (8 B, big-endian, ms)  database  key    a key whose expiry this replica is to carry out at that time (books)
//
// A place is the first byte of the key (key.go) and its hash (8 B, big-endian). So states are in the order of the keys' hash,
// which is the order of SCAN; the hash is SipHash-2-4 under a secret of the store, so nobody can make keys that collide. In
// the place of a field the hash of its hash's key comes before its own, so that all fields of a hash are together. The key
// follows without its first byte.
const (
	fieldsPrefix   = 'f'
	metaPrefix     = 'm'
	historyPrefix  = 'h'
	logPrefix      = 'l'
	settingPrefix  = 'n'
	statePrefix    = 's'
	transferPrefix = 't'
	metPrefix      = 'u'
	indexPrefix    = 'x'
)

func stateKey(buf []byte, at place, key string) []byte {
	buf = append(buf, statePrefix, key[0])
	if isField(key) {
		buf = binary.BigEndian.AppendUint64(buf, at.group)
	}
	buf = binary.BigEndian.AppendUint64(buf, at.hash)
	return append(buf, key[1:]...)
}

// Lengths of what precedes the key, without its first byte, in the key of a state.
const (
	stateKeyHeader = 2 + 8
	fieldKeyHeader = 2 + 8 + 8
)

// keyOf is the key whose state has the key k in the database. False: it is malformed.
func keyOf(k []byte) (key []byte, ok bool) {
	header := stateKeyHeader
	if len(k) > 1 && tlv.Space(k[1]) == tlv.FieldSpace {
		header = fieldKeyHeader
	}
	if len(k) < header {
		return nil, false
	}
	return append([]byte{k[1]}, k[header:]...), true
}

// fieldsKey is that of the number of fields of a hash.
func fieldsKey(buf []byte, hash uint64, key string) []byte {
	buf = binary.BigEndian.AppendUint64(append(buf, fieldsPrefix, key[0]), hash)
	return append(buf, key[1:]...)
}

func indexKey(buf []byte, at int64, key string) []byte {
	buf = binary.BigEndian.AppendUint64(append(buf, indexPrefix), uint64(at))
	return append(buf, key...)
}

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
func (e *Engine) readState(at place, key string) (s tlv.State, err error) {
	var b [128]byte
	err = e.lookUp(stateKey(b[:0], at, key), key, func(v []byte) (err error) {
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
