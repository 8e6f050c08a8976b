package commands

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"atomiccounter/engine"
)

var errReplyTooLong = errors.New("the values exceed the maximum allowed size (proto-max-bulk-len)")

func hGetAll(c *Context, args [][]byte) { c.eachField(args[1], true, true) }
func hKeys(c *Context, args [][]byte)   { c.eachField(args[1], true, false) }
func hVals(c *Context, args [][]byte)   { c.eachField(args[1], false, true) }

// eachField replies with the fields of a hash, their values, or both as a map.
func (c *Context) eachField(key []byte, fields, values bool) {
	l := c.list()
	var tooMuch error
	err := c.Pipe.EachField(key, func(field []byte, v engine.Value) {
		if tooMuch != nil {
			return
		}
		l.n++
		if fields {
			l.out.Bulk(field)
		}
		if values {
			c.value(v)
		}
		tooMuch = l.fits(c)
	})
	if err == nil {
		err = tooMuch
	}
	switch {
	case err != nil:
		l.drop()
		c.fail(err)
	case fields && values:
		c.looked(key, l.n > 0)
		l.endMap()
	default:
		c.looked(key, l.n > 0)
		l.end()
	}
}

// hScan returns at once what Redis keeps in one piece.
func hScan(c *Context, args [][]byte) {
	cursor, ok := parseCursor(args[2])
	if !ok {
		c.Out.Error("ERR invalid cursor")
		return
	}
	n, ok := c.size(args[1])
	switch {
	case !ok:
		return
	case n == 0: // in Redis a missing key comes before wrong options
		c.Out.Buf = append(c.Out.Buf, scanHeader(0)...)
		c.Out.Array(0)
		return
	}
	call, ok := c.parseHScanOptions(args[3:])
	if !ok {
		return
	}
	call.cursor = cursor
	if n <= engine.SmallHash {
		call.cursor, call.count = 0, scanCountMax
	}
	c.scanFields(args[1], call)
}

// parseHScanOptions takes those of SCAN without types, and NOVALUES, which has no value of its own.
func (c *Context) parseHScanOptions(options [][]byte) (call scanCall, ok bool) {
	var pairs [][]byte
	noValues := false
	for len(options) > 0 {
		if same(options[0], "novalues") {
			noValues, options = true, options[1:]
			continue
		}
		n := min(2, len(options))
		pairs, options = append(pairs, options[:n]...), options[n:]
	}
	call, ok = c.parseScanOptions(pairs, false)
	call.noValues = noValues
	return call, ok
}

func (c *Context) scanFields(key []byte, call scanCall) {
	var page []pickedField
	next, err := c.Pipe.ScanFields(key, call.cursor, call.count, func(field []byte, v engine.Value) {
		page = append(page, pickedField{slices.Clone(field), v})
	})
	if err != nil {
		c.fail(err)
		return
	}
	if !call.match.all() {
		c.Pipe.Pause() // a pattern may take its time: others go on
	}
	l := c.list()
	for _, p := range page {
		if call.match.all() || call.match.match(p.field) && !c.stopped() {
			l.out.Bulk(p.field)
			l.n++
			if !call.noValues {
				c.value(p.value)
				l.n++
			}
		}
	}
	l.end()
	c.Out.Buf = slices.Insert(c.Out.Buf, l.begin, scanHeader(next)...)
}

// pickedField is a field and its value, copied.
type pickedField struct {
	field []byte
	value engine.Value
}

func hRandField(c *Context, args [][]byte) {
	count, withValues := int64(1), false
	if len(args) > 2 {
		var ok bool
		if count, withValues, ok = c.parseHRandField(args); !ok {
			return
		}
	}
	n, ok := c.size(args[1])
	if !ok {
		return
	}
	if n == 0 { // nothing to draw, however often
		count = 0
	}
	if len(args) == 2 {
		c.oneField(args[1])
		return
	}
	list, err := c.sample(args[1], count)
	if err != nil {
		c.fail(err)
		return
	}
	if withValues && c.Out.Proto != 3 {
		c.Out.Array(2 * len(list))
	} else {
		c.Out.Array(len(list))
	}
	for i := range list {
		if withValues && c.Out.Proto == 3 {
			c.Out.Array(2)
		}
		c.Out.Bulk(list[i].field)
		if withValues {
			c.value(list[i].value)
		}
	}
}

func (c *Context) oneField(key []byte) {
	list, err := c.sample(key, 1)
	switch {
	case err != nil:
		c.fail(err)
	case len(list) == 0:
		c.Out.Null()
	default:
		c.Out.Bulk(list[0].field)
	}
}

func (c *Context) parseHRandField(args [][]byte) (count int64, withValues, ok bool) {
	if count, ok = c.integer(args[2]); !ok {
		return 0, false, false
	}
	withValues = len(args) == 4 && same(args[3], "withvalues")
	switch {
	case count == math.MinInt64:
		c.Out.Error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	case len(args) > 4 || len(args) == 4 && !withValues:
		c.syntaxError()
	case withValues && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		c.Out.Error("ERR value is out of range")
	default:
		return count, withValues, true
	}
	return 0, false, false
}

const (
	samplePool = 10_000  // fields that those with repetition are drawn from
	maxSample  = 1 << 20 // fields in one reply
)

// sample gives some fields of a hash: up to count different ones, or with repetition as many as -count.
func (c *Context) sample(key []byte, count int64) ([]pickedField, error) {
	if count < -maxSample {
		return nil, errReplyTooLong
	}
	if count == 0 {
		return nil, nil
	}
	var pool []pickedField
	want := int(min(count, math.MaxInt32))
	if count < 0 || count == 1 {
		want = samplePool
	}
	err := c.Pipe.SampleFields(key, want, func(field []byte, v engine.Value) {
		pool = append(pool, pickedField{slices.Clone(field), v})
	})
	if err != nil || len(pool) == 0 || count > 1 {
		return pool, err
	}
	list := make([]pickedField, 0, max(1, -count))
	for range max(1, -count) {
		list = append(list, pool[rand.IntN(len(pool))])
	}
	return list, nil
}
