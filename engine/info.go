package engine

import (
	"cmp"
	"slices"
	"time"

	"atomiccounter/tlv"
)

// Info is what CINFO shows of a key.
type Info struct {
	Kind          tlv.Kind
	Value         int64
	Text          *string // the value, where it is a text
	Hash          bool    // it is a hash, of so many Fields
	Fields        int64
	ExpireAt      int64     // ms; 0: never
	Loaded        time.Time // since when it may lack what others did
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
	e, err := p.exclusive(key, everything)
	if err != nil {
		return Info{}, false, err
	}
	if !p.exists(e) {
		return Info{}, false, nil
	}
	info := Info{Value: e.value.Load(), Hash: p.typeOf(e) == TypeHash, Fields: e.size(), ExpireAt: e.expire.Load(), Loaded: time.UnixMilli(p.e.Now())}
	if o := e.opened(); o != nil && o.state.Foreign != nil {
		info.Loaded = time.UnixMilli(o.refreshed)
	}
	if e.is(natural) {
		info.Kind = tlv.Natural
	}
	if v := p.valueOf(e); v.IsText {
		info.Value, info.Text = 0, &v.Text
	}
	k := e.copied(p.e.self.id)
	s := k.Whole(p.e.self.id)
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
	p.told.saw, p.told.unlocked = true, true
	return n, nil
}
