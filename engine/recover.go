package engine

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"atomiccounter/engine/journal"
	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// replay does again what the journal has after m, until ctx ends. The records say all: no clock is read and nothing expires.
func (c *committer) replay(ctx context.Context, m journal.Mark) (journal.Mark, error) {
	p := c.e.NewPipeline()
	p.begin()
	defer p.pause()
	done, started := int64(0), false
	return journal.Replay(c.e.segments, m, func(body []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.e.options.Progress != nil {
			c.e.options.Progress(done, c.e.startup.bytes)
		}
		done += int64(len(body) + journal.FrameHeader)
		for len(body) > 0 {
			r, rest, err := parseRecord(body)
			if err != nil {
				return err
			}
			switch r.typ {
			case recordCut:
			case recordLife:
				c.e.history.Lived(r.number, c.vector.Entry(c.e.self.id).Stamp)
				started = true
			default:
				c.e.history.Interrupted = c.e.history.Interrupted || started
				err = c.redo(p, &r)
			}
			if err != nil {
				return err
			}
			body = rest
			c.e.startup.replayed.Add(1)
		}
		return nil
	})
}

// countRecords is how many records a frame's body has, up to the first that is wrong.
func countRecords(body []byte) (n int, err error) {
	for len(body) > 0 {
		_, rest, err := parseRecord(body)
		if err != nil {
			return n, err
		}
		n, body = n+1, rest
	}
	return n, nil
}

// surveyJournal reads all that a start replays after m, until ctx ends, and says what would stop it. It changes nothing.
func (e *Engine) surveyJournal(ctx context.Context, m journal.Mark) (journal.Survey, error) {
	s, err := journal.Look(ctx, e.segments, m, countRecords)
	if err != nil {
		err = fmt.Errorf("journal: %w", err)
	}
	return s, err
}

func (c *committer) redo(p *Pipeline, r *record) error {
	c.e.clock.pass(r.stamp)
	if tlv.Space(r.key[0]) > tlv.TokenSpace {
		return fmt.Errorf("%w: key of space %d", tlv.ErrMalformed, tlv.Space(r.key[0]))
	}
	if r.typ == recordFlush {
		return c.redoFlushDB(tlv.Database(r.key[0]))
	}
	en, err := p.lockKey(r.key)
	if err != nil {
		return err
	}
	defer p.release()
	if isField(en.key()) && r.typ != recordCancel {
		c.e.reopenLeftover(en.fields().head)
	}
	c.e.markDirty(en)
	switch r.typ {
	case recordAdd:
		en.state().Add(r.n, r.stamp, r.kind, r.joined)
	case recordCancel:
		en.state().Cancel(r.own, r.resets, r.expiry)
	case recordAssign:
		en.state().Assign(tlv.Contribution{Kind: r.kind, Birth: r.stamp, Since: r.since, Assigned: r.n})
	case recordText:
		en.state().Assign(tlv.Contribution{Birth: r.stamp, Since: r.since, IsText: true, Text: r.text})
	case recordExpire, recordBegin:
		en.state().ExpireAt(r.expiry, r.birth, r.joined)
	}
	c.e.show(en)
	return nil
}

// reopenLeftover takes back what closeLeftover did when it met the head at a time when no field was stored: had that been so when the field
// was written, the journal would have a cancel of the head before this record. The caller holds the head exclusively.
func (e *Engine) reopenLeftover(head *entry) {
	if p := head.state().Pending; p != nil && p.Leftover {
		p.Publish, p.Reborn, p.Leftover = false, false, false
		e.show(head)
	}
}

// redoFlushDB empties a database for the second time. The mark stays: a crash now replays the same again.
func (c *committer) redoFlushDB(db byte) error {
	t := c.begin(0)
	defer t.close()
	t.wipe(db)
	m, err := c.e.readMeta(false)
	if err != nil {
		return err
	}
	m.count[db], m.countEx[db] = 0, 0
	t.put([]byte{store.MetaPrefix}, m.encode())
	return t.write(pebble.Sync)
}
