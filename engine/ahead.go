package engine

// MaxAhead is how many keys Expect makes use of.
const MaxAhead = 16

// ahead are entries that were looked for before their keys were asked for, in the order of the commands.
type ahead struct {
	entries  [MaxAhead]*entry // nil: not cached then
	from, to int              // those not yet asked for
}

// Expect names the keys that the next commands will ask for. It is a hint: it locks nothing, and a command that asks for other
// keys gets them. All are looked for together, so that what is not in the processor's caches comes at the same time and
// not for one key after the other; that is why each step is a loop of its own, without a dependence between the turns.
func (p *Pipeline) Expect(keys [][]byte) {
	if p.e == nil {
		return
	}
	keys = keys[:min(len(keys), MaxAhead)]
	var tags [MaxAhead]uint64
	var lists [MaxAhead]*slots
	for i, key := range keys {
		n := p.e.name(p.DB, key)
		tags[i], lists[i] = n.tag(), p.e.table.shard(n.hash).slots.Load()
	}
	a := &p.ahead
	a.from, a.to = 0, len(keys)
	for i := range keys {
		a.entries[i] = lists[i].first(tags[i])
	}
	for i, key := range keys {
		if e := a.entries[i]; e != nil && len(e.key()) == 1+len(key) { // the cache line that find needs
			_ = e.value.Load() // the one that an increment needs
		}
	}
	for i, key := range keys {
		a.entries[i] = lists[i].find(tags[i], p.DB, key)
	}
}

// expected gives the entry of a key if it is the last one's or Expect found it; perhaps it is gone since.
func (p *Pipeline) expected(first byte, key []byte) *entry {
	if e := p.hint; e != nil && e.hasKey(first, key) {
		return e
	}
	a := &p.ahead
	for i := a.from; i < a.to; i++ {
		if e := a.entries[i]; e != nil && e.hasKey(first, key) {
			a.from = i + 1
			return e
		}
	}
	return nil
}
