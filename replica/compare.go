package replica

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// compareEvery is how often a link that is as it should be compares some keys with its peer.
const compareEvery = 5 * time.Second

// maxLooks is how often a key is looked at in which the two differ, until they agree or it is certain that they will not. One that changes
// all the time is left for the next round.
const maxLooks = 30

// maxDivergent is how many divergent keys of a peer are kept.
const maxDivergent = 1000

// comparison is where a puller is in comparing what its store shows with what the peer's does, key after key, round after round. Both change
// meanwhile, so a key in which they differ is looked at twice more, each time when either has all that the other had at the look before.
// What one has at all three looks the other knows of at the second: if that has it no more by then, it has been cancelled, which the one
// knows at the third. So if both show at the third look what they showed at the first, they never will agree.
type comparison struct {
	due    time.Time
	from   []byte         // where the next page begins
	mine   engine.Digests // of the keys that the peer is asked for
	doubts map[string]doubt
	named  map[string]bool // keys in which they are known to differ
}

// doubt is what was seen of a key in which the two differ, and up to where either had all at the last look that counts.
type doubt struct {
	mine, theirs uint64
	ours, peers  tlv.Vector
	second       bool // that was the second
	looks        int  // in all
}

// mayCompare says whether it is time to. The link has just settled.
func (p *puller) mayCompare() bool {
	return p.State() == syncing && p.self.Transfer == nil && !p.now.Before(p.compared.due)
}

// compare looks at the keys that are in doubt, or at more.
func (p *puller) compare() Action {
	c := &p.compared
	c.due = p.now.Add(compareEvery)
	if len(c.doubts) == 0 {
		return Look{From: c.from}
	}
	return Look{Keys: slices.Sorted(maps.Keys(c.doubts))}
}

// comparing says whether the last that this link did was for a comparison.
func (p *puller) comparing() bool {
	_, ok := p.last.(AskDigest)
	return ok
}

func (p *puller) looked(d *engine.Digests, err error) Action {
	c := &p.compared
	if err != nil {
		return p.ask() // it will be said where it matters
	}
	c.mine = *d
	if len(d.Keys) == 0 {
		c.from = d.Next
		return p.ask()
	}
	return AskDigest{csync.DigestRequest{Request: p.request(), Keys: d.Keys}}
}

// digested compares.
func (p *puller) digested(a *csync.DigestAnswer) Action {
	c := &p.compared
	p.status.LastContact = p.now
	if a.ID != p.status.ID || len(a.Sums) != len(c.mine.Keys) {
		return p.lost(fmt.Errorf("%d digests of replica %s, not %d of %s", len(a.Sums), csync.Hex(a.ID), len(c.mine.Keys), csync.Hex(p.status.ID)))
	}
	again := len(c.doubts) > 0
	var differ []string
	for i, key := range c.mine.Keys {
		now := doubt{mine: c.mine.Sums[i], theirs: a.Sums[i], ours: c.mine.Vector, peers: a.Vector}
		was, doubted := c.doubts[key]
		delete(c.doubts, key)
		switch {
		case now.mine == now.theirs:
			delete(c.named, key)
		case !again:
			c.doubt(key, now)
		case !doubted || was.mine != now.mine || was.theirs != now.theirs:
		case !now.ours.Covers(was.peers) || !now.peers.Covers(was.ours):
			if was.looks++; was.looks < maxLooks {
				c.doubt(key, was)
			}
		case !was.second:
			now.second, now.looks = true, was.looks+1
			c.doubt(key, now)
		case c.name(key):
			differ = append(differ, key)
		}
	}
	if !again {
		c.from = c.mine.Next
	}
	c.mine = engine.Digests{}
	p.status.Divergent = int64(len(c.named))
	if len(differ) > 0 {
		p.say(slog.LevelError, "this store and the peer show different things, though each has all that the other has", "replica", csync.Hex(p.status.ID),
			"keys", len(differ), "first", fmt.Sprintf("%.100q", differ[0][1:]))
		p.status.Errors++
	}
	return p.ask()
}

func (c *comparison) doubt(key string, d doubt) {
	if c.doubts == nil {
		c.doubts = map[string]doubt{}
	}
	c.doubts[key] = d
}

// name notes that the two differ in a key for good. false: that is known, or there is no room for more.
func (c *comparison) name(key string) bool {
	if c.named[key] || len(c.named) == maxDivergent {
		return false
	}
	if c.named == nil {
		c.named = map[string]bool{}
	}
	c.named[key] = true
	return true
}
