package engine

import "sync/atomic"

// counts are those of what shows.
type counts struct {
	keys    [Databases]atomic.Int64
	expires [Databases]atomic.Int64  // those with an expiry
	resized [Databases]atomic.Uint64 // the generation in which keys last changed, written before it does
	hashes  atomic.Bool              // there are fields in the store, or were since it was opened
}

// tally keeps the visible counts; exists and expires are those of the entry's own state.
func (n *counts) tally(en *entry, exists, expires bool) {
	if isToken(en.key()) {
		return
	}
	db := database(en.key())
	if exists != en.is(counted) && en.is(pending) {
		n.resized[db].Store(en.gen)
	}
	if en.fields() != nil {
		n.tallyHash(en, exists, expires)
		return
	}
	adjust(&n.keys[db], en.is(counted), exists)
	adjust(&n.expires[db], en.is(countedEx), exists && expires)
	en.mark(counted, exists)
	en.mark(countedEx, exists && expires)
}

func adjust(count *atomic.Int64, was, is bool) {
	if by := change(was, is); by != 0 {
		count.Add(by)
	}
}

// showFields changes what shows of a hash.
func (n *counts) showFields(f *fields, by int64) {
	if by == 0 {
		return
	}
	is := f.word.Add(by)
	was := is - by
	db := database(f.head.key())
	existed, expired := wordExists(was), wordExpires(was)
	adjust(&n.keys[db], existed, wordExists(is))
	adjust(&n.expires[db], expired, wordExpires(is))
}

// tallyHash is tally for a field or a head.
func (n *counts) tallyHash(en *entry, exists, expires bool) {
	by := change(en.is(counted), exists)
	if !isField(en.key()) {
		by = selfWord(exists, expires) - selfWord(en.is(counted), en.is(countedEx))
		en.mark(countedEx, expires)
	}
	en.mark(counted, exists)
	n.showFields(en.fields(), by)
}

// recountShown is recount for the visible counts.
func (n *counts) recountShown(db byte, was books, fieldsWere int64, is books, fieldsAre int64) {
	existed, expired := was.shown(fieldsWere)
	exists, expires := is.shown(fieldsAre)
	adjust(&n.keys[db], existed, exists)
	adjust(&n.expires[db], expired, expires)
}
