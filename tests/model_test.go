package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// counter is what a key must hold whose only writer is known.
type counter struct {
	exists bool
	value  string // as GET gives it
	// expires: the key has a TTL, and vanishes between these two, which are apart by the time its command was under way.
	expires          bool
	earliest, latest time.Time
}

func (c counter) String() string {
	if !c.exists {
		return "absent"
	}
	if c.expires {
		return fmt.Sprintf("%.50q until %s", c.value, c.latest.Format(time.TimeOnly+".000"))
	}
	return fmt.Sprintf("%.50q", c.value)
}

// operation is one command on one key, or on a field if there is a slash in key: hash/field.
type operation struct {
	name string
	key  string
	n    int64  // increment, or ms
	s    string // what is set or appended
}

func (o operation) args() []string {
	if hash, field, ok := strings.Cut(o.key, "/"); ok {
		return o.onField(hash, field)
	}
	switch o.name {
	case "SET", "APPEND":
		return []string{o.name, o.key, o.s}
	case "INCRBY", "DECRBY", "PEXPIRE":
		return []string{o.name, o.key, strconv.FormatInt(o.n, 10)}
	case "EXPIRE":
		return []string{o.name, o.key, strconv.FormatInt(o.n/1000, 10)}
	default:
		return []string{o.name, o.key}
	}
}

// onField is the command on a field that does the same.
func (o operation) onField(hash, field string) []string {
	switch o.name {
	case "SET":
		return []string{"HSET", hash, field, o.s}
	case "DEL":
		return []string{"HDEL", hash, field}
	}
	return []string{"HINCRBY", hash, field, strconv.FormatInt(o.by(), 10)}
}

func (o operation) isField() bool { return strings.Contains(o.key, "/") }

// by is what an increment adds.
func (o operation) by() int64 {
	return map[string]int64{"INCR": 1, "DECR": -1, "INCRBY": o.n, "DECRBY": -o.n}[o.name]
}

// apply gives the counter after o, which was sent and then answered (or is still under way) at these times, and the
// reply that is due.
func (o operation) apply(c counter, sent, answered time.Time) (counter, string) {
	switch o.name {
	case "SET":
		if o.isField() {
			return counter{exists: true, value: o.s}, integer(!c.exists)
		}
		return counter{exists: true, value: o.s}, "+OK\r\n"
	case "APPEND":
		c.exists = true
		c.value += o.s
		return c, fmt.Sprintf(":%d\r\n", len(c.value))
	case "DEL":
		return counter{}, integer(c.exists)
	case "GETDEL":
		if !c.exists {
			return counter{}, "$-1\r\n"
		}
		return counter{}, fmt.Sprintf("$%d\r\n%s\r\n", len(c.value), c.value)
	case "EXPIRE", "PEXPIRE":
		was := c.exists
		if was {
			ttl := time.Duration(o.n) * time.Millisecond
			c.expires, c.earliest, c.latest = true, sent.Add(ttl), answered.Add(ttl)
		}
		return c, integer(was)
	case "PERSIST":
		had := c.exists && c.expires
		c.expires = false
		return c, integer(had)
	}
	n := int64(0)
	if c.exists {
		var err error
		if n, err = strconv.ParseInt(c.value, 10, 64); err != nil || strconv.FormatInt(n, 10) != c.value {
			if o.isField() {
				return c, "-ERR hash value is not an integer\r\n"
			}
			return c, "-ERR value is not an integer or out of range\r\n"
		}
	}
	n += o.by()
	c.exists, c.value = true, strconv.FormatInt(n, 10)
	return c, fmt.Sprintf(":%d\r\n", n)
}

func integer(b bool) string {
	if b {
		return ":1\r\n"
	}
	return ":0\r\n"
}

// randomOperation is mostly an increment. Lifetimes are an hour, or so short that the key must not be touched again.
func randomOperation(r *rand.Rand, key string) operation {
	o := operationOn(r, key)
	for o.isField() && !oneOf(o.name, "set", "del", "incr", "decr", "incrby", "decrby") {
		o = operationOn(r, key)
	}
	return o
}

func operationOn(r *rand.Rand, key string) operation {
	switch r.IntN(22) {
	case 0, 20:
		return operation{name: "SET", key: key, s: strconv.FormatInt(r.Int64N(2000)-1000, 10)}
	case 21:
		if r.IntN(3) == 0 {
			return operation{name: "APPEND", key: key, s: []string{"7", "x", ""}[r.IntN(3)]}
		}
		return operation{name: "SET", key: key, s: strings.Repeat("text\r\n\x00", r.IntN([]int{2, 1000, 20000}[r.IntN(3)]))}
	case 1:
		return operation{name: "DEL", key: key}
	case 2:
		return operation{name: "GETDEL", key: key}
	case 3:
		return operation{name: "EXPIRE", key: key, n: 3600_000}
	case 4:
		return operation{name: "PERSIST", key: key}
	case 5, 6, 7:
		return operation{name: "DECR", key: key}
	case 8, 9:
		return operation{name: "DECRBY", key: key, n: r.Int64N(100)}
	case 10, 11, 12:
		return operation{name: "INCRBY", key: key, n: r.Int64N(200) - 100}
	default:
		return operation{name: "INCR", key: key}
	}
}

// attempt is an operation that was sent, but never answered.
type attempt struct {
	operation
	sent time.Time
}

func (a attempt) String() string { return quote(a.args()) }

// outcomes are the counters that may be found after attempts, of which any number, from the first on, took effect before
// ended.
func outcomes(c counter, attempts []attempt, ended time.Time) []counter {
	all := []counter{c}
	for _, a := range attempts {
		c, _ = a.apply(c, a.sent, ended)
		all = append(all, c)
	}
	return all
}

// admits tells whether a key that reads as value, or is absent, agrees with c at a time between before and after.
func (c counter) admits(value string, exists bool, ttl bool, before, after time.Time) bool {
	if !exists {
		return !c.exists || c.expires && after.After(c.earliest)
	}
	gone := c.expires && before.After(c.latest)
	return c.exists && !gone && c.value == value && c.expires == ttl
}
