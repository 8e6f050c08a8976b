package engine

import (
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// Keys of the engine, strings here, begin with the space and the database (tlv/key.go): keys of users, fields of hashes,
// which are counters like any other, and tokens (token.go), which nobody sees.

func database(key string) byte { return tlv.Database(key[0]) }

func isField(key string) bool { return tlv.Space(key[0]) == tlv.FieldSpace }

func isToken(key string) bool { return tlv.Space(key[0]) == tlv.TokenSpace }

// isUsers says whether a user has named the key itself: it is counted, listed and told of.
func isUsers(key string) bool { return tlv.Space(key[0]) == 0 }

// hashOf is the key of the hash that a field is of; ok is false if it is none.
func hashOf(field string) (key string, ok bool) {
	name, _, ok := tlv.SplitFieldName([]byte(field[1:]))
	return string(append([]byte{database(field)}, name...)), ok
}

// name is what an entry is looked for by.
type name struct {
	first byte   // of its key
	rest  []byte // of its key; the caller's
	hash  uint64 // of rest
}

func (e *Engine) name(first byte, rest []byte) name { return name{first, rest, e.self.hash(rest)} }

// tag tells the first bytes of keys apart, which hash does not.
func (n name) tag() uint64 { return tagOf(n.hash, n.first) }

func tagOf(hash uint64, first byte) uint64 { return hash + uint64(first)*0x9e3779b97f4a7c15 }

// place is where a key stands in the store.
func (i *identity) place(key []byte) store.Place {
	at := store.Place{First: key[0], Hash: i.hash(key[1:])}
	if tlv.Space(key[0]) == tlv.FieldSpace {
		name, _, _ := tlv.SplitFieldName(key[1:]) // validated where it came in
		at.Group = i.hash(name)
	}
	return at
}

// place is that of the entry's key.
func (e *entry) place() store.Place {
	at := store.Place{First: e.key()[0], Hash: e.hash}
	if isField(e.key()) {
		at.Group = e.fields().head.hash
	}
	return at
}
