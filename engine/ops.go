package engine

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"atomiccounter/tlv"
)

// Get gives the value of a counter; ok is false if there is none. ErrNotInteger: the key holds a text, see Value.
func (p *Pipeline) Get(key []byte) (v int64, ok bool, err error) {
	val, err := p.read(key, false)
	if val.IsText {
		return 0, false, ErrNotInteger
	}
	return val.Int, val.OK, err
}

// Exists says whether a key exists, by all that is stored: like NX and XX it does not wait for the update period.
func (p *Pipeline) Exists(key []byte) (bool, error) {
	t, err := p.Type(key)
	return t != TypeNone, err
}

// Type says what a key holds. The type of a string is Redis's word for a counter or a text.
func (p *Pipeline) Type(key []byte) (Type, error) {
	e, err := p.shared(key, true)
	if err != nil {
		return TypeNone, err
	}
	return p.typeOf(e), nil
}

// Type is what a key holds.
type Type uint8

// The types of keys.
const (
	TypeNone Type = iota
	TypeString
	TypeHash
)

func (p *Pipeline) typeOf(e *entry) Type {
	t := e.typeAt(p.now())
	p.tellsFields(e)
	return t
}

// typeAt is what the key holds at a time, in ms.
func (e *entry) typeAt(now int64) Type {
	switch {
	case !e.shown() || e.due(now):
		return TypeNone
	case e.exists:
		return TypeString
	}
	return TypeHash
}

// exists says whether the key has anything to show now.
func (p *Pipeline) exists(e *entry) bool { return p.typeOf(e) != TypeNone }

// MGet appends the values of the keys at one moment to out; a hash has none.
func (p *Pipeline) MGet(keys [][]byte, out []Value) ([]Value, error) {
	list, err := p.lockAll(keys, false)
	if err == nil && p.anyLate(list) {
		list, err = p.all(keys, takesNone)
	}
	if err != nil {
		return out, err
	}
	for _, key := range keys {
		e := list[string(key)]
		v := p.valueOf(e)
		v.Hash = !v.OK && p.typeOf(e) == TypeHash
		out = append(out, v)
	}
	return out, nil
}

// anyLate says whether something has arrived for one of the entries that must show now.
func (p *Pipeline) anyLate(list map[string]*entry) bool {
	for _, e := range list {
		if e.stale.Load() && p.periodOver(e) {
			return true
		}
	}
	return false
}

// lockAll locks the keys, loaded, all at the same time; what the pipeline held before it lets go of. Here alone a
// pipeline waits for a lock while it holds others: the keys are in order, so nobody waits in a circle. Meanwhile the
// entries are pinned, or the load of one could evict another for ever.
func (p *Pipeline) lockAll(keys [][]byte, exclusive bool) (map[string]*entry, error) {
	list, err := p.pinAll(keys, exclusive)
	defer unpin(list)
	if err != nil {
		return nil, err
	}
	p.waitAll(list, exclusive)
	return byName(list), nil
}

// waitAll locks pinned entries, in order. Where all that has arrived is to show, nothing arrives meanwhile: of a batch of a peer all of
// the entries know, or none.
func (p *Pipeline) waitAll(list []*entry, exclusive bool) {
	if p.showsAll() {
		p.e.loads.RLock()
		defer p.e.loads.RUnlock()
	}
	for _, e := range list {
		p.wait(e, exclusive)
	}
}

// pinAll gives the entries of the keys, loaded and pinned, each once and in order. It lets go of all locks. After an error
// what it gives is pinned too.
func (p *Pipeline) pinAll(keys [][]byte, exclusive bool) (list []*entry, err error) {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, bytes.Compare)
	sorted = slices.CompactFunc(sorted, bytes.Equal)
	p.publish()
	for _, key := range sorted { // load what is cold while nothing is held
		e, err := p.lock(key, exclusive)
		if err != nil {
			return list, err
		}
		e.pins.Add(1)
		list = append(list, e)
		p.publish()
	}
	return list, nil
}

func byName(list []*entry) map[string]*entry {
	m := make(map[string]*entry, len(list))
	for _, e := range list {
		m[e.key[1:]] = e
	}
	return m
}

// Incr adds n, which may be zero, and gives the new value. ErrOverflow, ErrNegative and ErrNotInteger change nothing.
func (p *Pipeline) Incr(key []byte, n int64) (int64, error) {
	if err := p.writable(); err != nil {
		return 0, err
	}
	before := len(p.held)
	e, err := p.lock(key, false)
	if err != nil {
		return 0, err
	}
	if e.fast.Load() == p.e.cuts.gen.Load() && (n >= 0 || !e.natural) && (!e.stale.Load() || !p.periodOver(e)) &&
		(e.expire.Load() == 0 || !e.due(p.now())) {
		return p.addFast(e, n)
	}
	if len(p.held) > before && !p.held[before].exclusive && len(p.held) == before+1 {
		p.unlockLast() // so that the exclusive lock can be had without publishing first
	}
	return p.incrSlow(key, n)
}

// incrSlow is the first increment of a generation, and every one that is not plain.
func (p *Pipeline) incrSlow(key []byte, n int64) (int64, error) {
	e, err := p.toChange(key, false, takesDue)
	if err != nil {
		return 0, err
	}
	return p.incr(e, n)
}

// incr adds n to a key or a field that is locked exclusively.
func (p *Pipeline) incr(e *entry, n int64) (int64, error) {
	p.prepare(e)
	if err := p.addable(e); err != nil {
		return 0, err
	}
	kind := p.kindOf(e)
	if kind == tlv.Natural && n < 0 {
		return 0, ErrNegative
	}
	if sum := e.sum(p.e.self.id); !fits(sum, sum.Add(tlv.FromInt64(n)), n) {
		return 0, ErrOverflow
	}
	p.add(e, n, kind)
	return e.value.Load(), nil
}

// addable says why what shows cannot be added to.
func (p *Pipeline) addable(e *entry) error {
	switch {
	case e.text:
		return ErrNotInteger
	case !e.exists && e.size() > 0:
		p.tellsFields(e)
		return ErrWrongType
	}
	return nil
}

// kindOf is the key's kind, or that which it gets if it is created.
func (p *Pipeline) kindOf(e *entry) tlv.Kind {
	switch {
	case e.exists && e.natural:
		return tlv.Natural
	case !e.exists && isUsers(e.key) && p.e.options.Natural != nil && p.e.options.Natural([]byte(e.key[1:])):
		return tlv.Natural
	}
	return tlv.ZCounter
}

// IncrExOptions are those of INCREX.
type IncrExOptions struct {
	By           int64
	Lower, Upper int64 // bounds of the result; math.MinInt64 and MaxInt64 for none
	Saturate     bool  // beyond a bound go to it instead of leaving all as it is
	ExpireAt     int64 // ms; 0: leave the expiry
	Persist      bool
	ENX          bool // set the expiry only where there is none
}

// IncrExResult is what INCREX did. Out of bounds without Saturate that is nothing, and not Done.
type IncrExResult struct {
	Value, Applied int64
	Done           bool
	Expires        bool // ExpireAt was set or, if that had passed, carried out
	Persisted      bool // an expiry was taken away
}

// IncrEx adds By within bounds. With Saturate a value that was beyond a bound before comes back to it, too; a Natural stays.
func (p *Pipeline) IncrEx(key []byte, o IncrExOptions) (r IncrExResult, err error) {
	if err := p.writable(); err != nil {
		return r, err
	}
	e, err := p.toChange(key, true, takesDue)
	if err != nil {
		return r, err
	}
	p.prepare(e)
	if err := p.addable(e); err != nil {
		return r, err
	}
	kind, cur := p.kindOf(e), e.sum(p.e.self.id)
	n, act, err := bounded(cur, o)
	switch {
	case err != nil:
		return r, err
	case !act:
		return IncrExResult{Value: cur.Clamp()}, nil
	case kind == tlv.Natural && n < 0 && o.By >= 0:
		n = 0 // it cannot come back to a bound
	case kind == tlv.Natural && n < 0:
		return r, ErrNegative
	}
	if !fits(cur, cur.Add(tlv.FromInt64(n)), n) {
		return r, ErrOverflow
	}
	p.add(e, n, kind)
	r = IncrExResult{Value: e.value.Load(), Applied: n, Done: true}
	p.expireIncrEx(e, o, &r)
	return r, nil
}

func (p *Pipeline) expireIncrEx(e *entry, o IncrExOptions, r *IncrExResult) {
	has := e.expire.Load() != 0
	switch {
	case o.Persist && has:
		p.expireAt(e, 0)
		r.Persisted = true
	case o.ExpireAt != 0 && !(o.ENX && has):
		p.expireOrCancel(e, o.ExpireAt)
		r.Expires = true
	}
}

// bounded is what INCREX adds to cur, and whether it acts at all.
func bounded(cur tlv.Int128, o IncrExOptions) (n int64, act bool, err error) {
	next := cur.Add(tlv.FromInt64(o.By))
	to := next.Clamp()
	switch {
	case next.IsInt64() && o.Lower <= to && to <= o.Upper:
		return o.By, true, nil
	case !o.Saturate:
		return 0, false, nil
	}
	d := tlv.FromInt64(min(max(to, o.Lower), o.Upper)).Sub(cur)
	if !d.IsInt64() {
		return 0, false, ErrAppliedOverflow
	}
	return d.Clamp(), true, nil
}

// SetOptions are those of SET.
type SetOptions struct {
	NX, XX, KeepTTL bool
	Get             bool  // fill Old
	ExpireAt        int64 // ms; 0: none; in the past: the key is gone afterwards
}

// SetResult is what SET did. Old is filled if asked for.
type SetResult struct {
	Done bool
	Old  Value
}

// Set is Put of an integer.
func (p *Pipeline) Set(key []byte, v int64, o SetOptions) (SetResult, error) {
	return p.Put(key, IntValue(v), o)
}

func (p *Pipeline) set(e *entry, v Value, o SetOptions) (r SetResult, err error) {
	t := p.typeOf(e)
	if o.Get {
		if t == TypeHash {
			return r, ErrWrongType
		}
		r.Old = p.valueOf(e)
	}
	p.prepare(e)
	if o.NX && t != TypeNone || o.XX && t == TypeNone {
		return r, nil
	}
	if err := p.harvestable(e); o.Get && err != nil {
		return r, err
	}
	kind, err := p.kindFor(e, v)
	if err != nil {
		return r, err
	}
	keep := e.view(p.e.self.id).Expiry
	p.assign(e, v, kind)
	if t == TypeNone {
		p.report(e, Created)
	}
	switch {
	case o.ExpireAt != 0:
		p.expireOrCancel(e, o.ExpireAt)
	case o.KeepTTL && t != TypeNone && keep.Stamp != 0:
		p.setExpiry(e, keep)
	}
	r.Done = true
	return r, nil
}

// expireOrCancel sets the expiry; a time that has passed is a DEL.
func (p *Pipeline) expireOrCancel(e *entry, at int64) {
	if at <= p.now() {
		p.cancelAll(e)
		return
	}
	p.expireAt(e, at)
}

// MSet sets all keys at once, the last value of a repeated key; with nx only if none of them exists.
func (p *Pipeline) MSet(keys [][]byte, values []Value, nx bool) (bool, error) {
	size := p.sizeOf(keys)
	for _, v := range values {
		if len(v.Text) > MaxText {
			return false, ErrTextTooLong
		}
		size += 64 + len(v.Text)
	}
	own, err := p.beginGreat(size)
	if err != nil {
		return false, err
	}
	if own {
		defer p.End()
	}
	if err := p.writableText(size); err != nil {
		return false, err
	}
	t := takesAll
	if nx { // otherwise a hash stays
		t = takesDue
	}
	list, err := p.all(keys, t)
	if err != nil {
		return false, err
	}
	for i, key := range keys {
		e := list[string(key)]
		if nx && p.exists(e) {
			return false, nil
		}
		if _, err := p.kindFor(e, values[i]); err != nil {
			return false, err
		}
	}
	for i, key := range keys {
		if _, err := p.set(list[string(key)], values[i], SetOptions{}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// all locks the keys exclusively, all at the same time, with all that has arrived, for a command that may take hashes
// away.
func (p *Pipeline) all(keys [][]byte, t takes) (map[string]*entry, error) {
	for {
		list, err := p.pinAll(keys, true)
		if err == nil {
			err = p.lockToChange(list, t)
		}
		unpin(list)
		switch {
		case errors.Is(err, errGone):
			continue
		case err != nil:
			return nil, err
		}
		return byName(list), nil
	}
}

// lockToChange locks pinned entries for all.
func (p *Pipeline) lockToChange(list []*entry, t takes) error {
	p.letGo()
	p.waitAll(list, true)
	if slices.ContainsFunc(list, func(e *entry) bool { return p.takesFields(e, t) }) {
		if err := p.gatherAll(list, t); err != nil {
			return err
		}
	}
	for _, e := range list {
		p.ready(e, true)
	}
	return nil
}

// harvestable says why what a key shows cannot be taken away and returned: a sum beyond int64 would be returned in part, and the
// rest would be lost.
func (p *Pipeline) harvestable(e *entry) error {
	if p.exists(e) && !e.text && !e.sum(p.e.self.id).IsInt64() {
		return ErrHarvest
	}
	return nil
}

// GetDel takes the key away and gives the value that was taken, exactly.
func (p *Pipeline) GetDel(key []byte) (Value, error) {
	if err := p.writable(); err != nil {
		return Value{}, err
	}
	e, err := p.toChange(key, true, takesDue)
	if err != nil {
		return Value{}, err
	}
	if p.typeOf(e) == TypeHash {
		return Value{OK: true}, ErrWrongType
	}
	if err := p.harvestable(e); err != nil {
		return Value{}, err
	}
	v := p.valueOf(e)
	p.cancelAll(e) // fields that are hidden it leaves, as it does not return them, unless their time has come
	return v, nil
}

// ExpireOptions are those of GETEX.
type ExpireOptions struct {
	At      int64 // ms; 0: leave
	Persist bool
}

// GetEx gives the value and changes the expiry.
func (p *Pipeline) GetEx(key []byte, o ExpireOptions) (Value, error) {
	if o == (ExpireOptions{}) {
		return p.Value(key)
	}
	if err := p.writable(); err != nil {
		return Value{}, err
	}
	e, err := p.toExpire(key)
	if err != nil {
		return Value{}, err
	}
	if p.typeOf(e) == TypeHash {
		return Value{OK: true}, ErrWrongType
	}
	v := p.valueOf(e)
	switch {
	case !v.OK:
	case o.At != 0:
		p.expireOrCancel(e, o.At)
	case o.Persist && e.expire.Load() != 0:
		p.expireAt(e, 0)
	}
	return v, nil
}

// Del takes the keys away and says how many there were.
func (p *Pipeline) Del(keys [][]byte) (n int, err error) {
	own, err := p.beginGreat(p.sizeOf(keys))
	if err != nil {
		return 0, err
	}
	if own {
		defer p.End()
	}
	if err := p.writableSize(p.sizeOf(keys)); err != nil {
		return 0, err
	}
	list, err := p.all(keys, takesAll)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		e := list[string(key)]
		was := p.exists(e)
		p.cancelAll(e)
		if was {
			n++
			p.report(e, Deleted)
		}
	}
	return n, nil
}

// ExpireCond are the conditions of EXPIRE.
type ExpireCond uint8

// NX: only without an expiry; XX: only with one; GT, LT: only later, earlier than the present one, none being infinite.
const (
	ExpireNX ExpireCond = 1 << iota
	ExpireXX
	ExpireGT
	ExpireLT
)

func (c ExpireCond) holds(cur, at int64) bool {
	has := cur != 0
	switch {
	case c&ExpireNX != 0 && has, c&ExpireXX != 0 && !has:
		return false
	case c&ExpireGT != 0 && (!has || at <= cur):
		return false
	case c&ExpireLT != 0 && has && at >= cur:
		return false
	}
	return true
}

// toExpire is exclusive for a command that changes the expiry of what there is. It prepares like every write: who is told that there is
// no key must not find that only the part of another in it was due, and the rest is there without a TTL.
func (p *Pipeline) toExpire(key []byte) (*entry, error) {
	e, err := p.exclusive(key, true)
	if err == nil && p.takesFields(e, takesDue) {
		e, err = p.toChange(key, true, takesDue)
	}
	if err == nil {
		p.prepare(e)
	}
	return e, err
}

// ExpireAt sets when the key expires, in ms since the Unix epoch; in the past the key goes at once. False: no such key, or
// the condition does not hold.
func (p *Pipeline) ExpireAt(key []byte, at int64, c ExpireCond) (bool, error) {
	if err := p.writable(); err != nil {
		return false, err
	}
	e, err := p.toExpire(key)
	if err == nil && at <= p.now() && p.exists(e) && c.holds(e.expire.Load(), at) {
		e, err = p.toChange(key, true, takesAll)
	}
	if err != nil {
		return false, err
	}
	if !p.exists(e) || !c.holds(e.expire.Load(), at) {
		return false, nil
	}
	p.expireOrCancel(e, at)
	return true, nil
}

// Persist takes the expiry away. False: no such key, or it had none.
func (p *Pipeline) Persist(key []byte) (bool, error) {
	if err := p.writable(); err != nil {
		return false, err
	}
	e, err := p.toExpire(key)
	if err != nil {
		return false, err
	}
	if !p.exists(e) || e.expire.Load() == 0 {
		return false, nil
	}
	p.expireAt(e, 0)
	return true, nil
}

// ExpireTime is when the key expires, in ms since the Unix epoch; 0: never. ok is false if there is no such key.
func (p *Pipeline) ExpireTime(key []byte) (at int64, ok bool, err error) {
	e, err := p.shared(key, false)
	if err != nil {
		return 0, false, err
	}
	if !p.exists(e) {
		return 0, false, nil
	}
	return e.expire.Load(), true, nil
}

// New creates a counter of the given kind that shows 0. False: it exists with that kind already.
func (p *Pipeline) New(key []byte, k tlv.Kind) (created bool, err error) {
	if err := p.writable(); err != nil {
		return false, err
	}
	e, err := p.toChange(key, true, takesDue)
	if err != nil {
		return false, err
	}
	if p.exists(e) {
		if !e.exists || e.natural != (k == tlv.Natural) || e.text {
			return false, ErrKindFixed
		}
		return false, nil
	}
	p.prepare(e)
	p.add(e, 0, k)
	return true, nil
}

// Info is what CINFO shows of a key.
type Info struct {
	Kind          tlv.Kind
	Value         int64
	Text          *string // the value, where it is a text
	Hash          bool    // it is a hash, of so many Fields
	Fields        int64
	ExpireAt      int64 // ms; 0: never
	Loaded        time.Time
	Contributions []ContributionInfo
}

// ContributionInfo is one replica's part.
type ContributionInfo struct {
	Replica  tlv.ReplicaID // of a foreign one, that which it has in its own cluster
	Own      bool
	Foreign  bool   // a CMERGE has brought it
	Total    string // since its birth, decimal
	Net      string // what it adds to the value, an assigned value aside
	Kind     tlv.Kind
	Assigned *int64  // of its SET, if that still stands
	Text     *string // the same, where it is a text
	ExpireAt int64   // of its own last EXPIRE
	Live     bool
}

// Inspect shows the parts of a key.
func (p *Pipeline) Inspect(key []byte) (Info, bool, error) {
	e, err := p.exclusive(key, true)
	if err != nil {
		return Info{}, false, err
	}
	if !p.exists(e) {
		return Info{}, false, nil
	}
	info := Info{Value: e.value.Load(), Hash: p.typeOf(e) == TypeHash, Fields: e.size(), ExpireAt: e.expire.Load(), Loaded: time.UnixMilli(e.refreshed)}
	if e.natural {
		info.Kind = tlv.Natural
	}
	if v := p.valueOf(e); v.IsText {
		info.Value, info.Text = 0, &v.Text
	}
	s := e.whole(p.e.self.id)
	for i := range s.Contributions {
		if c := &s.Contributions[i]; !c.Closed {
			info.Contributions = append(info.Contributions, contributionInfo(&s, c, p.e.self.id))
		}
	}
	slices.SortFunc(info.Contributions, func(a, b ContributionInfo) int { return cmp.Compare(a.Replica, b.Replica) })
	return info, true, nil
}

func contributionInfo(s *tlv.State, c *tlv.Contribution, id tlv.ReplicaID) ContributionInfo {
	net, assigned := s.Net(c)
	i := ContributionInfo{Replica: c.Replica, Own: c.Replica == id, Total: c.Total.String(), Net: net.String(),
		Kind: c.Kind, ExpireAt: c.Expiry.At, Live: s.Live(c)}
	switch {
	case assigned && c.IsText:
		v := c.Text
		i.Text = &v
	case assigned:
		v := c.Assigned
		i.Assigned = &v
	}
	if !i.Live {
		i.Net = "0"
	}
	if o := s.Origin(c.Replica); o != nil {
		i.Replica, i.Foreign = o.Replica, true
	}
	return i
}

// Size is the number of keys in the selected database, as no section of another pipeline has it half done; where nothing will be synced
// any more (unsyncable), that of those that are stored.
func (p *Pipeline) Size() (int64, error) {
	if err := p.enter(); err != nil {
		return 0, err
	}
	if p.e.health.closed.Load() && !p.section.open {
		return 0, ErrClosed
	}
	n := p.e.counts.keys[p.DB].Load()
	if p.e.counts.resized[p.DB].Load() <= p.e.cuts.flushed.Load() {
		return n, nil
	}
	if p.e.unsyncable() {
		m, err := p.e.readMeta(false)
		if err != nil {
			return 0, err
		}
		return m.count[p.DB], nil
	}
	p.saw, p.unheld = true, true
	return n, nil
}

// Bounds of an increment that is none.
const (
	NoLower = math.MinInt64
	NoUpper = math.MaxInt64
)
