package commands

import (
	"fmt"
	"slices"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// cMerge joins states made elsewhere, all of them or none.
func cMerge(c *Context, args [][]byte) {
	if len(args)%2 == 0 {
		c.wrongArity(c.table.lookup(args[0]))
		return
	}
	list, err := deltasOf(c.Pipe.DB, args[1:])
	if err != nil {
		c.failIn("CMERGE", err)
		return
	}
	c.whenSettled(time.Time{}, func() {
		if err := c.Pipe.Merge(list); err != nil {
			c.failIn("CMERGE", err)
			return
		}
		c.Out.OK()
	}, c.unsettled)
}

// deltasOf reads keys and payloads by turns. A key may come more than once; one of which nothing is said is left out.
func deltasOf(db uint8, pairs [][]byte) (list []tlv.Delta, err error) {
	at := make(map[string]int)
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i]
		if len(key) > engine.MaxKey {
			return nil, engine.ErrKeyTooLong
		}
		s, err := parsePayload(pairs[i+1])
		if err != nil {
			return nil, fmt.Errorf("payload of '%s': %w", beginning(key, shown), err)
		}
		if j, again := at[string(key)]; again {
			list[j].State.Merge(&s)
		} else if !s.Empty() {
			at[string(key)] = len(list)
			list = append(list, tlv.Delta{Key: append([]byte{db}, key...), State: s})
		}
	}
	return list, nil
}

// cDump writes what CMERGE reads: the state itself, or with RDX a plain N or Z.
func cDump(c *Context, args [][]byte) {
	plain := len(args) == 3 && same(args[2], "rdx")
	if len(args) > 2 && !plain {
		c.syntaxError()
		return
	}
	if c.settled() {
		c.dump(args[1], plain)
		return
	}
	key := slices.Clone(args[1])
	c.whenSettled(time.Time{}, func() { c.dump(key, plain) }, c.unsettled)
}

func (c *Context) dump(key []byte, plain bool) {
	s, ok, err := c.Pipe.Dump(key)
	switch {
	case err != nil:
		c.fail(err)
	case !ok:
		c.Out.Null()
	case plain && s.View().IsText:
		c.Out.Error("ERR CDUMP: the key holds a text, and RDX has only counters")
	case plain:
		c.Out.Bulk(plainDump(&s))
	default:
		c.Out.Bulk(tlv.AppendDump(nil, c.Server.Engine.Cluster().Names[0], &s))
	}
}
