package engine

import (
	"math"

	"atomiccounter/tlv"
)

// cancel takes away all that is observed of the key, fields apart. What closeLeftover has begun is journaled here: from now on the
// key may come to life again, and a replay must not find what was left over.
func (p *Pipeline) cancel(e *entry) {
	resets, own := e.state().Observed(p.e.self.id)
	own = own || e.state().Pending != nil && e.state().Pending.Leftover
	if !own && len(resets) == 0 {
		return
	}
	p.changes++
	expired := e.is(there) && e.due(p.now()) && !isToken(e.key())
	p.e.markDirty(e)
	p.endRun()
	ended := e.state().Latest(p.e.self.id)
	p.e.clock.pass(ended.Stamp) // see setExpiry
	p.buf = appendCancel(p.buf, e.key(), own, resets, ended)
	e.state().Cancel(own, resets, ended)
	p.e.show(e)
	if expired {
		p.e.sweeps.expired.Add(1)
		p.report(e, Expired)
	}
}

func (p *Pipeline) add(e *entry, n int64, kind tlv.Kind) {
	p.changes++
	p.e.markDirty(e)
	joined := e.joins()
	p.carry(e)
	stamp := tlv.Stamp(0)
	if !e.state().Pending.Adds() {
		stamp = p.e.clock.next(p.now())
	}
	p.endRun()
	p.buf = appendAdd(p.buf, e.key(), n, stamp, kind, joined)
	created := !e.is(there) && (e.fields() == nil || e.fields().head.size() == 0)
	e.state().Add(n, stamp, kind, joined)
	p.e.show(e)
	if created {
		p.report(e, Created)
	}
}

func (p *Pipeline) assign(e *entry, v Value, kind tlv.Kind) {
	p.changes++
	since := p.since(e)
	p.cancelAll(e)
	p.e.markDirty(e)
	p.endRun()
	none := e.under(p.e.self.id)
	p.e.clock.pass(e.state().Foreign.Latest())
	stamp := p.e.clock.next(p.now())
	if v.IsText {
		p.buf = appendText(p.buf, e.key(), v.Text, stamp, since)
		p.e.pace.texts.Add(int64(len(v.Text)))
	} else {
		p.buf = appendAssign(p.buf, e.key(), v.Int, stamp, since, kind)
	}
	e.state().Assign(tlv.Contribution{Kind: kind, Birth: stamp, Since: since, Assigned: v.Int, IsText: v.IsText, Text: v.Text})
	p.e.show(e)
	if none.Stamp != 0 {
		p.setExpiry(e, none)
	}
	if v.IsText {
		p.e.table.weigh(e)
		p.e.shrink(e.hash)
	}
}

// since is what a SET has to name of a field that is there already: it keeps its place in a small hash.
func (p *Pipeline) since(e *entry) tlv.Stamp {
	if !e.is(there) || !isField(e.key()) || e.fields().head.size() > SmallHash {
		return 0
	}
	return e.state().Began(p.e.self.id)
}

// run is the increments of one entry since the last record, not yet in the pipeline's buffer.
type run struct {
	of *entry // nil: there are none
	n  int64
}

// addFast is an increment of the short way; those of one key in a row share one record. ErrOverflow changes nothing.
func (p *Pipeline) addFast(e *entry, n int64) (int64, error) {
	if p.aside && p.run.of == nil {
		return p.addAside(e, n)
	}
	if p.run.of != e || n >= 0 && p.run.n > math.MaxInt64-n || n < 0 && p.run.n < math.MinInt64-n {
		p.endRun()
		p.announce(e)
		p.run.of, p.run.n = e, 0
	}
	v, ok := e.addFast(n)
	if !ok {
		return 0, ErrOverflow
	}
	p.changes++
	p.run.n += n
	return v, nil
}

func (p *Pipeline) endRun() {
	if p.run.of != nil {
		p.buf = appendAdd(p.buf, p.run.of.key(), p.run.n, 0, tlv.ZCounter, false)
		p.run.of = nil
	}
}

// setExpiry has the own contribution name x, which may be another replica's.
func (p *Pipeline) setExpiry(e *entry, x tlv.Expiry) {
	p.changes++
	p.e.clock.pass(x.Stamp) // a contribution names nothing later than the batch that publishes it
	p.e.markDirty(e)
	p.endRun()
	birth, joined := p.e.clock.next(p.now()), e.joins()
	p.buf = appendExpire(p.buf, e.key(), x, birth, joined)
	e.state().ExpireAt(x, birth, joined)
	p.e.show(e)
}

func (p *Pipeline) expireAt(e *entry, at int64) {
	p.e.clock.pass(e.state().Foreign.Latest())
	p.setExpiry(e, tlv.Expiry{Stamp: p.e.clock.next(p.now()), At: at})
}
