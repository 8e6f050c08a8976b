package store

import (
	"cmp"
	"encoding/binary"

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
// A place is the first byte of the key (tlv/key.go) and its hash (8 B, big-endian). So states are in the order of the keys' hash,
// which is the order of SCAN; the hash is SipHash-2-4 under a secret of the store, so nobody can make keys that collide. In
// the place of a field the hash of its hash's key comes before its own, so that all fields of a hash are together. The key
// follows without its first byte.
const (
	FieldsPrefix   = 'f'
	MetaPrefix     = 'm'
	HistoryPrefix  = 'h'
	LogPrefix      = 'l'
	SettingPrefix  = 'n'
	StatePrefix    = 's'
	TransferPrefix = 't'
	MetPrefix      = 'u'
	IndexPrefix    = 'x'
)

// StateKey appends the key of a state.
func StateKey(buf []byte, at Place, key string) []byte {
	buf = append(buf, StatePrefix, key[0])
	if tlv.Space(key[0]) == tlv.FieldSpace {
		buf = binary.BigEndian.AppendUint64(buf, at.Group)
	}
	buf = binary.BigEndian.AppendUint64(buf, at.Hash)
	return append(buf, key[1:]...)
}

// Lengths of what precedes the key, without its first byte, in the key of a state.
const (
	StateKeyHeader = 2 + 8
	FieldKeyHeader = 2 + 8 + 8
)

// KeyOf is the key whose state has the key k in the database. False: it is malformed.
func KeyOf(k []byte) (key []byte, ok bool) {
	header := StateKeyHeader
	if len(k) > 1 && tlv.Space(k[1]) == tlv.FieldSpace {
		header = FieldKeyHeader
	}
	if len(k) < header {
		return nil, false
	}
	return append([]byte{k[1]}, k[header:]...), true
}

// MetKey appends that under which the transfer notes that it has met a key.
func MetKey(buf []byte, at Place, key string) []byte {
	k := StateKey(buf, at, key)
	k[len(buf)] = MetPrefix
	return k
}

// FieldsKey is that of the number of fields of a hash.
func FieldsKey(buf []byte, hash uint64, key string) []byte {
	buf = binary.BigEndian.AppendUint64(append(buf, FieldsPrefix, key[0]), hash)
	return append(buf, key[1:]...)
}

// IndexKey is that of a key in the expiry index.
func IndexKey(buf []byte, at int64, key string) []byte {
	buf = binary.BigEndian.AppendUint64(append(buf, IndexPrefix), uint64(at))
	return append(buf, key...)
}

// ParseIndexKey reads the key of a record in the expiry index; key is a part of k. False: it is malformed.
func ParseIndexKey(k []byte) (at int64, key []byte, ok bool) {
	if len(k) < 1+8+1 {
		return 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(k[1:])), k[9:], true
}

// Place is where a key stands in the database: the keys of one of a user's databases are in the order of their hash; fields are together with
// the others of their hash, in the order of their own.
type Place struct {
	First byte   // of the key
	Group uint64 // of a field: the hash of its hash's key
	Hash  uint64 // of the key; what the table of entries goes by
}

// Compare orders places as the database has them.
func (at Place) Compare(o Place) int {
	return cmp.Or(cmp.Compare(at.First, o.First), cmp.Compare(at.Group, o.Group), cmp.Compare(at.Hash, o.Hash))
}
