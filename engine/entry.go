package engine

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"atomiccounter/tlv"
)

// entry is one cached counter: there is at most one per key and process, so two handles on a key never race.
//
// Increments hold mu shared and change value alone; all else holds mu exclusively. What increments added is found later as
// value - anchor (settle), so the short way costs one compare-and-swap and no bookkeeping.
//
// The order is that of use. Whoever looks for a key reads the second cache line, whoever then increments the first.
type entry struct {
	mu     sync.RWMutex
	value  atomic.Int64  // what the key shows, clamped to int64; pending increments included
	fast   atomic.Uint64 // the generation in which increments may go the short way; 0: never
	expire atomic.Int64  // when the key reads as absent, in ms; 0: never
	use    usage         // when and how often it was asked for, about
	stale  atomic.Bool   // something has arrived that is not taken in
	pins   atomic.Int32  // commands that are about to lock it; until then it stays cached
	adding atomic.Int32  // pipelines that hold mu shared and have added what is not yet journaled

	key   string         // key.go
	short [shortKey]byte // where key is, if it fits
	ring  int32          // index in the shard's ring
	hash  uint64

	// All below: read under mu, written under mu exclusively.
	gone      bool          // no longer in the table
	exists    bool          // what the key shows, before its expiry is asked
	counted   bool          // in the visible count of keys
	countedEx bool          // in the visible count of keys with an expiry; of a head: its expiry is in fields.word
	natural   bool          // the kind that it shows
	text      bool          // what it shows is a text, which view finds; value is that of what the text hides
	listed    bool          // among Engine.stale.keys
	flightOwn bool          // the operand of generation flight has the own contribution
	stored    bool          // books, with index
	watched   bool          // somebody may watch it: no short way, and show tells
	carries   bool          // the own contribution names the expiry in force, or a later one; or there is none
	weight    uint32        // bytes of besides, as the table counts them; written under the shard's mu too
	owner     tlv.ReplicaID // of the expiry in force
	anchor    int64         // value when it was last settled
	refreshed int64         // ms; when the foreign part was last brought up to date

	// As stored, or as it will be once the flush in progress is committed.
	own     tlv.Contribution // Replica 0: none
	foreign *foreign         // nil: no other replica ever had a part
	index   int64            // books
	fields  *fields          // of a field, its hash's; of a key that is a hash, or was one since it was loaded; else nil

	pend   *pending // of generation gen; nil if that is 0
	gen    uint64   // 0: nothing pending
	flight uint64   // the generation whose operand a flush is committing or has committed
}

const shortKey = 36 // fills the allocator's size class of 320 bytes

// newEntry gives the entry of a key, empty and not yet in the table.
func newEntry(n name) *entry {
	e := &entry{hash: n.hash}
	if size := 1 + len(n.rest); size <= shortKey {
		e.short[0] = n.first
		copy(e.short[1:], n.rest)
		e.key = unsafe.String(&e.short[0], size) // an entry is never copied, and short never changes
	} else {
		e.key = string(append([]byte{n.first}, n.rest...))
	}
	return e
}

// foreign is the part of a stored state that concerns other replicas.
type foreign struct {
	other    tlv.State          // their contributions, and all resets
	incoming *tlv.State         // all that is stored, with data that is not yet in other; nil: none
	resets   []tlv.Reset        // of the operand of generation flight
	tails    []tlv.Contribution // so these
}

// latest is the latest stamp by which others have decided what the key shows: of a SET or an expiry, as stored.
func (f *foreign) latest() (s tlv.Stamp) {
	if f == nil {
		return 0
	}
	s = f.other.Latest()
	if f.incoming != nil {
		s = max(s, f.incoming.Latest())
	}
	return s
}

// pending is what this generation did to a key, not yet in the stored state (model: pend).
type pending struct {
	touch    bool // own contribution is to be published
	tended   bool // only because tend found an expiry left over
	add      bool // with an increment or a SET
	reborn   bool // under a new birth
	joined   bool // that birth found a key that showed something
	hasValue bool
	isText   bool
	kind     tlv.Kind
	assigned int64
	text     string
	birth    tlv.Stamp
	since    tlv.Stamp
	delta    tlv.Int128
	expiry   tlv.Expiry
	ended    tlv.Expiry // the latest EXPIRE that was named when all was cancelled
	resets   []tlv.Reset
	tails    []tlv.Contribution // of other, to be published (testament)
}

// is says whether it is that of a key.
func (e *entry) is(first byte, key []byte) bool { return e.key[0] == first && e.key[1:] == string(key) }

const entrySize = 320 + 40 // bytes of memory per entry, the table's share included

func (e *entry) memory() int64 {
	n := entrySize + int64(e.weight)
	if len(e.key) > shortKey {
		n += int64(len(e.key))
	}
	return n
}

// books are those of the stored state.
func (e *entry) books() books { return books{exists: e.stored, index: e.index} }

func (e *entry) setBooks(b books) { e.stored, e.index = b.exists, b.index }

func (e *entry) due(now int64) bool {
	at := e.expire.Load()
	return at != 0 && at <= now
}

// fits says whether a sum may become next: inside int64, or nearer to it than before.
func fits(sum, next tlv.Int128, n int64) bool {
	if next.IsInt64() {
		return true
	}
	return !sum.IsInt64() && (sum.Hi < 0) == (n > 0) && n != 0
}

// addFast adds n on the short way, under mu shared.
func (e *entry) addFast(n int64) (int64, bool) {
	for {
		v := e.value.Load()
		if n > 0 && v > math.MaxInt64-n || n < 0 && v < math.MinInt64-n {
			return 0, false
		}
		if e.value.CompareAndSwap(v, v+n) {
			return v + n, true
		}
	}
}

// sum is the true sum, of which value is the clamp: only at the ends there is a difference. The caller has settled.
func (e *entry) sum(id tlv.ReplicaID) tlv.Int128 {
	if v := e.value.Load(); v > math.MinInt64 && v < math.MaxInt64 {
		return tlv.FromInt64(v)
	}
	return e.view(id).Sum
}

// settle moves what increments added on the short way into the books. A wide sum has no short way.
func (e *entry) settle() {
	v := e.value.Load()
	if v == e.anchor {
		return
	}
	d := tlv.FromInt64(v).Sub(tlv.FromInt64(e.anchor))
	e.pend.delta = e.pend.delta.Add(d) // there is one: only in its generation is there a short way
	e.anchor = v
}

// other is the foreign part of the stored state. The caller only reads it.
func (e *entry) other() tlv.State {
	if e.foreign == nil {
		return tlv.State{}
	}
	return e.foreign.other
}

// incoming is what is stored beyond what is taken in, or nil.
func (e *entry) incoming() *tlv.State {
	if e.foreign == nil {
		return nil
	}
	return e.foreign.incoming
}

func (e *entry) pendingResets() []tlv.Reset {
	if e.pend == nil {
		return nil
	}
	return e.pend.resets
}

// cutOwn is the stamp up to which others have cancelled this replica's contribution.
func (e *entry) cutOwn() tlv.Stamp {
	if e.foreign == nil || e.own.Replica == 0 {
		return 0
	}
	return e.foreign.other.Cut(e.own.Replica)
}

func (e *entry) ownOpen() bool {
	return e.own.Replica != 0 && !e.own.Closed && e.own.Rev > e.cutOwn()
}

// contribution is this replica's part with what is pending, as a batch stamped rev would publish it (model: operand).
func (e *entry) contribution(id tlv.ReplicaID, rev tlv.Stamp) (c tlv.Contribution, any bool) {
	p := e.pend
	if p == nil || !p.touch {
		return e.own, e.own.Replica != 0
	}
	if !p.reborn && e.ownOpen() {
		c = e.own
		if mutation == rebirth && p.add && e.cutOwn() >= c.Birth {
			c.Total, c.Birth, c.HasValue, c.Assigned = c.Total.Sub(e.foreign.other.Reset(id).Base), p.birth, false, 0
			c.IsText, c.Text, c.Since = false, "", 0
		}
		p.carryOn(&c, rev)
		return c, true
	}
	c = tlv.Contribution{Replica: id, Rev: rev, Kind: p.kind}
	switch {
	case p.add:
		c.Birth, c.Last, c.Total = p.birth, rev, p.delta
		c.HasValue, c.Assigned, c.Expiry = p.hasValue, p.assigned, p.expiry
		c.IsText, c.Text, c.Joined, c.Since = p.isText, p.text, p.joined, p.since
	case p.expiry.Stamp != 0:
		c.Birth, c.Expiry, c.Joined = p.birth, p.expiry, p.joined
	default:
		c.Birth, c.Closed, c.Expiry = rev, true, p.ended.Or(e.own.Expiry)
	}
	return c, true
}

// under is what a write to the key has to name: what is in force, or, where nothing shows, a PERSIST just after all that was named: or
// what is left of an earlier life would give it an expiry. Under the stamp of the new birth, it would also take away what another replica
// has set meanwhile.
func (e *entry) under(id tlv.ReplicaID) tlv.Expiry {
	if e.shown() {
		return e.view(id).Expiry
	}
	if x := e.latest(id); x.Stamp != 0 {
		return tlv.Expiry{Stamp: x.Stamp + 1}
	}
	return tlv.Expiry{}
}

// latest is the latest EXPIRE that is named of the key, with what is pending.
func (e *entry) latest(id tlv.ReplicaID) tlv.Expiry {
	if e.foreign == nil {
		c, _ := e.contribution(id, endOfTime)
		return c.Expiry.Or(tlv.Expiry{})
	}
	s := e.whole(id)
	return s.Named()
}

// named is the expiry that the own contribution names, with what is pending, if anything of it is open.
func (e *entry) named(id tlv.ReplicaID) tlv.Expiry {
	c, any := e.contribution(id, endOfTime)
	if !any || c.Closed || c.Rev <= e.cutOwn() {
		return tlv.Expiry{}
	}
	return c.Expiry
}

// carryOn adds what is pending to an open contribution.
func (p *pending) carryOn(c *tlv.Contribution, rev tlv.Stamp) {
	c.Rev = rev
	c.Total = c.Total.Add(p.delta)
	if p.add {
		if c.Last == 0 { // so far it only carried an expiry
			c.Kind, c.Joined = p.kind, p.joined
		}
		c.Last = rev
	}
	if p.expiry.Stamp != 0 {
		c.Expiry = p.expiry
	}
}

const endOfTime = tlv.Stamp(math.MaxUint64) // later than every stamp: the rev of what is not yet published

// view is what the key shows with all that is pending. The caller has settled.
func (e *entry) view(id tlv.ReplicaID) tlv.View {
	if e.foreign == nil && len(e.pendingResets()) == 0 {
		c, any := e.contribution(id, endOfTime)
		return viewOwn(&c, any)
	}
	s := e.whole(id)
	return s.View()
}

// began is since when the key shows something, with all that is pending.
func (e *entry) began(id tlv.ReplicaID) tlv.Stamp {
	if e.foreign == nil && len(e.pendingResets()) == 0 {
		c, _ := e.contribution(id, endOfTime)
		return c.Began()
	}
	s := e.whole(id)
	return s.Began()
}

// whole is the state with all that is pending, a copy.
func (e *entry) whole(id tlv.ReplicaID) tlv.State {
	o := e.other()
	s := o.Clone()
	if c, any := e.contribution(id, endOfTime); any {
		s.Put(c)
	}
	s.Merge(&tlv.State{Resets: e.pendingResets()})
	return s
}

// viewOwn is State.View where there is one contribution and no reset, without building a state.
func viewOwn(c *tlv.Contribution, any bool) tlv.View {
	v := tlv.View{Kind: tlv.Natural}
	if !any || c.Closed {
		return v
	}
	if v.Expiry = c.Expiry; c.Expiry.At != 0 {
		v.Owner = c.Replica
	}
	if c.Last == 0 {
		return v
	}
	v.Exists, v.Kind, v.Sum = true, c.Kind, c.Total
	if c.HasValue {
		v.Sum = v.Sum.Add(tlv.FromInt64(c.Assigned))
		v.IsText, v.Text = c.IsText, c.Text
	}
	return v
}

// full is all that is stored of the key, what has arrived and is not taken in included; a copy.
func (e *entry) full() tlv.State {
	o := e.other()
	s := o.Clone()
	if e.own.Replica != 0 {
		s.Put(e.own)
	}
	if in := e.incoming(); in != nil {
		s.Merge(in)
	}
	return s
}

// ahead is what the key will show once it has taken in what has arrived; of the sum, increments of the short way apart.
func (e *entry) ahead(id tlv.ReplicaID) tlv.View {
	later := entry{own: e.own, pend: e.pend}
	later.take(id, e.full())
	return later.view(id)
}

// differs says whether a view of an existing key differs from what it shows in more than the value.
func (e *entry) differs(id tlv.ReplicaID, v *tlv.View) bool {
	return v.Expiry.At != e.expire.Load() || v.Owner != e.owner || (v.Kind == tlv.Natural) != e.natural || v.IsText != e.text ||
		e.carries && v.Expiry.Stamp > e.named(id).Stamp
}

// observed says what a cancel of everything takes away now: resets for the others' open contributions, and whether
// something of this replica's own is open.
func (e *entry) observed(id tlv.ReplicaID) (resets []tlv.Reset, own bool) {
	if c, any := e.contribution(id, endOfTime); any && !c.Closed {
		own = c.Rev > e.cutOwn()
	}
	if e.foreign == nil {
		return nil, own
	}
	s := e.whole(id)
	for i := range s.Contributions {
		if c := &s.Contributions[i]; c.Replica != id && s.Open(c) {
			resets = append(resets, tlv.Reset{Replica: c.Replica, Rev: c.Rev, Base: c.Total})
		}
	}
	return resets, own
}

// The four changes that records speak of. Each is deterministic: replay does the same as the command did. The entry is
// dirty, so there is something to note them in.

func (e *entry) add(n int64, stamp tlv.Stamp, kind tlv.Kind, joined bool) {
	p := e.pend
	if !p.add {
		p.birth, p.kind, p.joined = stamp, kind, joined
	}
	p.touch, p.add = true, true
	p.delta = p.delta.Add(tlv.FromInt64(n))
}

// cancel takes away what is observed; ended is the latest EXPIRE that is named.
func (e *entry) cancel(own bool, resets []tlv.Reset, ended tlv.Expiry) {
	p := e.pend
	for _, r := range resets {
		joinReset(&p.resets, r)
	}
	if ended.Stamp != 0 {
		p.ended = ended
	}
	if own {
		*p = pending{reborn: true, touch: true, kind: p.kind, resets: p.resets, ended: p.ended}
	}
}

func joinReset(list *[]tlv.Reset, r tlv.Reset) {
	s := tlv.State{Resets: *list}
	s.PutReset(r)
	*list = s.Resets
}

func (e *entry) assign(v Value, stamp, since tlv.Stamp, kind tlv.Kind) {
	*e.pend = pending{touch: true, add: true, reborn: true, hasValue: true, kind: kind,
		assigned: v.Int, isText: v.IsText, text: v.Text, birth: stamp, since: since, resets: e.pend.resets, ended: e.pend.ended}
}

// expireAt has the own contribution name an expiry. If there is none, one comes into being that only carries it, born at birth.
func (e *entry) expireAt(x tlv.Expiry, birth tlv.Stamp, joined bool) {
	p := e.pend
	if !p.add && p.expiry.Stamp == 0 {
		p.birth, p.joined = birth, joined
	}
	p.expiry, p.touch = x, true
}

// roll makes what is pending of an earlier generation part of the stored state, under the stamp of that generation's
// batch. What the key shows does not change. The pending is the caller's to use again.
func (e *entry) roll(id tlv.ReplicaID, rev tlv.Stamp) *pending {
	e.settle()
	p := e.pend
	c, _ := e.contribution(id, rev)
	e.flight, e.flightOwn = e.gen, p.touch && (!c.Closed || e.own.Replica != 0 || c.Expiry.Stamp != 0) // closing what was never stored says nothing else
	if len(p.resets) > 0 && e.foreign == nil {
		e.foreign = &foreign{}
	}
	if f := e.foreign; f != nil {
		f.resets, f.tails = p.resets, p.tails
		f.other.Merge(&tlv.State{Resets: p.resets})
	}
	if e.flightOwn {
		e.own = c
		e.dropEarlier(id)
	}
	e.pend, e.gen = nil, 0
	return p
}

// dropEarlier drops the reset of a life of the own contribution before this one.
func (e *entry) dropEarlier(id tlv.ReplicaID) {
	if e.foreign == nil {
		return
	}
	if r := e.foreign.other.Reset(id); r != nil && r.Rev < e.own.Birth {
		e.foreign.other.Resets = slices.DeleteFunc(e.foreign.other.Resets, func(r tlv.Reset) bool { return r.Replica == id })
	}
}

// take replaces the stored state.
func (e *entry) take(id tlv.ReplicaID, s tlv.State) {
	e.own = tlv.Contribution{}
	if c := s.Contribution(id); c != nil {
		e.own = *c
		s.Contributions = slices.DeleteFunc(s.Contributions, func(c tlv.Contribution) bool { return c.Replica == id })
	}
	switch {
	case e.foreign != nil:
		e.foreign.other = s
	case !s.Empty():
		e.foreign = &foreign{other: s}
	}
}

// besides is how many bytes of memory the entry holds beside itself: texts, and what is known of other replicas.
func (e *entry) besides() int {
	n := len(e.own.Text)
	if e.pend != nil {
		n += len(e.pend.text)
	}
	if f := e.foreign; f != nil {
		n += foreignSize + stateSize(&f.other)
		if f.incoming != nil {
			n += stateSize(f.incoming)
		}
	}
	return n
}

const foreignSize = int(unsafe.Sizeof(foreign{}))

func stateSize(s *tlv.State) int {
	return len(s.Contributions)*int(unsafe.Sizeof(tlv.Contribution{})) + len(s.Resets)*int(unsafe.Sizeof(tlv.Reset{})) +
		len(s.Origins)*int(unsafe.Sizeof(tlv.Origin{})) + s.Texts()
}
