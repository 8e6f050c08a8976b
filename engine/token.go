package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atomiccounter/engine/store"
	"atomiccounter/tlv"
)

// An increment with a token counts once, however often it is sent. The token is a key of a space of its own (key.go) that
// expires: its text says what was added and what the reply was. So it goes the way of every key: through the journal, in
// the batches to the peers, out of the cache when that is full, and off the disk when its life is over. It is not counted and
// not listed, and no observer is told of it. What is done to the counter, DEL too, leaves its tokens alone: a request that is sent
// again after a DEL has counted. FlushDB forgets them.
//
// Locks. The counter and its token are both held exclusively from before the first record to the end of the round, and nothing is
// published in between: their records are in one frame of the journal, and their deltas in one batch. Whoever waits
// for the one while holding the other waits for the token.

// Limits of tokens.
const (
	MaxToken     = 128              // bytes
	MaxTokenLife = 24 * 3600 * 1000 // ms
	TokenLife    = 10 * 60 * 1000   // ms, where nothing else is said
)

// Errors of IncrOnce.
var (
	ErrTokenSize = errors.New("a token has 1 to 128 bytes")
	ErrTokenLife = errors.New("a token lives for 1 to 86400 seconds")
	ErrTokenUsed = errors.New("the token was used for another increment of this key")
)

// IncrOnce is Incr, but it counts only once for a token: a call with the same again within its life, in ms, gets the reply of
// the first. counted says that it is the first. The token is of this key alone. With another n it is an error, ErrTokenUsed. What
// fails is not remembered.
func (p *Pipeline) IncrOnce(key, token []byte, n, life int64) (v int64, counted bool, err error) {
	switch {
	case len(token) == 0 || len(token) > MaxToken:
		return 0, false, ErrTokenSize
	case life <= 0 || life > MaxTokenLife:
		return 0, false, ErrTokenLife
	case !fitsField(key, token):
		return 0, false, ErrKeyTooLong
	}
	for {
		if err := p.writable(0); err != nil {
			return 0, false, err
		}
		if v, counted, err = p.incrOnce(key, token, n, life); !errors.Is(err, errGone) {
			return v, counted, err
		}
		p.publish()
	}
}

func (p *Pipeline) incrOnce(key, token []byte, n, life int64) (v int64, counted bool, err error) {
	t, err := p.lockToken(key, token)
	if err != nil {
		return 0, false, err
	}
	if was := p.valueOf(t); was.OK {
		v, err = replyOf(was, n)
		return v, false, err
	}
	t.pins.Add(1)
	defer t.pins.Add(-1)
	e, err := p.lockWith(key, t)
	switch {
	case err != nil:
		return 0, false, err
	case t.is(gone):
		return 0, false, errGone
	}
	p.ready(t, everything)
	if was := p.valueOf(t); was.OK { // another pipeline was faster while it was let go of
		v, err = replyOf(was, n)
		return v, false, err
	}
	v, err = p.incrWith(e, t, n, life)
	return v, err == nil, err
}

// lockToken gives the entry of a token, with all that has arrived.
func (p *Pipeline) lockToken(key, token []byte) (*entry, error) {
	p.name = tlv.AppendFieldName(p.name[:0], key, token)
	used := p.use.last
	t, err := p.lockIn(tlv.TokenByte(p.DB), p.name, exclusive)
	if err != nil {
		return nil, err
	}
	p.hint, p.use.last = nil, used // of the keys of users
	p.ready(t, everything)
	return t, nil
}

// lockWith gives the key's entry for an increment, and has t locked too, which is pinned; it may be gone all the same (errGone).
func (p *Pipeline) lockWith(key []byte, t *entry) (*entry, error) {
	for {
		e, err := p.lockFor(key, toAdd)
		if err != nil {
			return nil, err
		}
		if p.holds(t, exclusive) || p.tryEntry(t, exclusive) {
			return e, nil
		}
		e.pins.Add(1)
		p.publish()
		p.wait(e, exclusive)
		p.wait(t, exclusive)
		e.pins.Add(-1)
		if !p.takesFields(e, toAdd) { // a hash whose time has come meanwhile has to be gathered
			p.ready(e, inTime)
			return e, nil
		}
		p.publish()
	}
}

// incrWith adds n to e and has t remember it; both are held. Nothing is remembered of what fails.
func (p *Pipeline) incrWith(e, t *entry, n, life int64) (int64, error) {
	p.prepare(e)
	v, err := p.incr(e, n)
	if err != nil {
		return 0, err
	}
	p.assign(t, Value{Text: formatReply(n, v), IsText: true, OK: true}, tlv.ZCounter)
	p.expireAt(t, p.now()+life)
	return v, nil
}

// formatReply is what a token holds: what was added, a space, and the reply.
func formatReply(n, reply int64) string {
	return strconv.FormatInt(n, 10) + " " + strconv.FormatInt(reply, 10)
}

// replyOf is the reply that a token holds, to an increment by n.
func replyOf(v Value, n int64) (int64, error) {
	first, rest, _ := strings.Cut(v.Text, " ")
	added, err1 := strconv.ParseInt(first, 10, 64)
	reply, err2 := strconv.ParseInt(rest, 10, 64)
	switch {
	case err1 != nil || err2 != nil:
		return 0, fmt.Errorf("%w: what a token holds: %.50q", tlv.ErrMalformed, v.Text)
	case added != n:
		return 0, ErrTokenUsed
	}
	return reply, nil
}

// cancelTokens forgets every token of the selected database, as observed.
func (p *Pipeline) cancelTokens() error {
	return p.eachToken(func(page []string) error {
		for part := range slices.Chunk(page, tokenPage) {
			if err := p.cancelSome(part); err != nil {
				return err
			}
			p.pause() // a flush may come in between
		}
		return nil
	})
}

func (p *Pipeline) cancelSome(tokens []string) error {
	for _, key := range tokens {
		if err := p.writable(0); err != nil {
			return err
		}
		t, err := p.lockIn(key[0], []byte(key[1:]), exclusive)
		if err != nil {
			return err
		}
		p.ready(t, everything)
		p.cancel(t)
	}
	return nil
}

const tokenPage = 1000

// eachToken calls f with pages of the keys of all tokens of the selected database, in no order, those perhaps among them that are
// gone. No lock is held but those of a section.
func (p *Pipeline) eachToken(f func(page []string) error) error {
	p.pause()
	first := tlv.TokenByte(p.DB)
	var page []string
	for i := range p.e.table.shards { // noted before the database is opened, or a flush in between would hide them
		for _, t := range p.e.table.shards[i].pending(nil) {
			if t.key()[0] == first {
				page = append(page, t.key())
			}
		}
	}
	if err := f(page); err != nil || p.isWiped(p.DB) {
		return err
	}
	for from := []byte{store.StatePrefix, first}; from != nil; {
		page, next, err := p.storedTokens(from)
		if err = cmp.Or(err, f(page)); err != nil {
			return err
		}
		from = next
	}
	return nil
}

// storedTokens is a page of the tokens that the database has, and where the next begins; nil: nowhere.
func (p *Pipeline) storedTokens(from []byte) (page []string, next []byte, err error) {
	if err := p.enterScan(); err != nil {
		return nil, nil, err
	}
	defer p.e.scans.RUnlock()
	for k := range store.Scan(p.e.db, from, []byte{store.StatePrefix, from[1] + 1}, &err) {
		if len(page) == tokenPage {
			next = bytes.Clone(k)
			break
		}
		if key, ok := store.KeyOf(k); ok { // otherwise Check reports it
			page = append(page, string(key))
		}
	}
	return slices.Clip(page), next, err
}
