package engine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/tlv"
)

// replay does again what the journal has after m. The records say all: no clock is read and nothing expires.
func (e *Engine) replay(m mark) (mark, error) {
	p := e.NewPipeline()
	p.begin()
	defer p.pause()
	return replay(e.segments, m, func(body []byte) error {
		for len(body) > 0 {
			r, rest, err := parseRecord(body)
			if err != nil {
				return err
			}
			switch r.typ {
			case 'B':
			case 'L':
				e.history.lived(r.number, e.vector.Entry(e.id).Stamp)
			default:
				err = e.redo(p, &r)
			}
			if err != nil {
				return err
			}
			body = rest
			e.replayed.Add(1)
		}
		return nil
	})
}

func (e *Engine) redo(p *Pipeline, r *record) error {
	e.clock.pass(r.stamp)
	p.DB = r.key[0]
	if p.DB >= Databases {
		return fmt.Errorf("%w: database %d", tlv.ErrMalformed, p.DB)
	}
	if r.typ == 'F' {
		return e.redoFlushDB(p.DB)
	}
	en, err := p.lock(r.key[1:], true)
	if err != nil {
		return err
	}
	defer p.release()
	e.markDirty(en)
	switch r.typ {
	case 'A':
		en.add(r.n, r.stamp, r.kind)
	case 'C':
		en.cancel(r.own, r.resets)
	case 'V':
		en.assign(IntValue(r.n), r.stamp, r.kind)
	case 'T':
		en.assign(Value{Text: r.text, IsText: true, OK: true}, r.stamp, tlv.ZCounter)
	case 'E':
		en.expireAt(r.stamp, r.at)
	}
	e.show(en)
	return nil
}

// redoFlushDB empties a database for the second time. The mark stays: a crash now replays the same again.
func (e *Engine) redoFlushDB(db byte) error {
	batch := e.db.NewBatch()
	defer batch.Close()
	if err := e.wipe(batch, db); err != nil {
		return err
	}
	m, err := e.readMeta(false)
	if err != nil {
		return err
	}
	m.count[db], m.countEx[db] = 0, 0
	if err := batch.Set([]byte{metaPrefix}, m.encode(), nil); err != nil {
		return err
	}
	return errors.Join(batch.Commit(pebble.Sync), e.Failed())
}
