package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// counter is what a key must hold whose only writer is known.
type counter struct {
	exists bool
	value  int64
	// expires: the key has a TTL, and vanishes between these two, which are apart by the time its command was under way.
	expires          bool
	earliest, latest time.Time
}

func (c counter) String() string {
	if !c.exists {
		return "absent"
	}
	if c.expires {
		return fmt.Sprintf("%d until %s", c.value, c.latest.Format(time.TimeOnly+".000"))
	}
	return strconv.FormatInt(c.value, 10)
}

// operation is one command on one key.
type operation struct {
	name string
	key  string
	n    int64 // increment, value, or ms
}

func (o operation) args() []string {
	switch o.name {
	case "INCRBY", "DECRBY", "SET", "PEXPIRE":
		return []string{o.name, o.key, strconv.FormatInt(o.n, 10)}
	case "EXPIRE":
		return []string{o.name, o.key, strconv.FormatInt(o.n/1000, 10)}
	default:
		return []string{o.name, o.key}
	}
}

// apply gives the counter after o, which was sent and then answered (or is still under way) at these times, and the
// reply that is due.
func (o operation) apply(c counter, sent, answered time.Time) (counter, string) {
	switch o.name {
	case "SET":
		return counter{exists: true, value: o.n}, "+OK\r\n"
	case "DEL":
		return counter{}, integer(c.exists)
	case "GETDEL":
		if !c.exists {
			return counter{}, "$-1\r\n"
		}
		s := strconv.FormatInt(c.value, 10)
		return counter{}, fmt.Sprintf("$%d\r\n%s\r\n", len(s), s)
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
	c.exists = true
	c.value += map[string]int64{"INCR": 1, "DECR": -1, "INCRBY": o.n, "DECRBY": -o.n}[o.name]
	return c, fmt.Sprintf(":%d\r\n", c.value)
}

func integer(b bool) string {
	if b {
		return ":1\r\n"
	}
	return ":0\r\n"
}

// randomOperation is mostly an increment. Lifetimes are an hour, or so short that the key must not be touched again.
func randomOperation(r *rand.Rand, key string) operation {
	switch r.IntN(20) {
	case 0:
		return operation{"SET", key, r.Int64N(2000) - 1000}
	case 1:
		return operation{"DEL", key, 0}
	case 2:
		return operation{"GETDEL", key, 0}
	case 3:
		return operation{"EXPIRE", key, 3600_000}
	case 4:
		return operation{"PERSIST", key, 0}
	case 5, 6, 7:
		return operation{"DECR", key, 0}
	case 8, 9:
		return operation{"DECRBY", key, r.Int64N(100)}
	case 10, 11, 12:
		return operation{"INCRBY", key, r.Int64N(200) - 100}
	default:
		return operation{"INCR", key, 0}
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
func (c counter) admits(value int64, exists bool, ttl bool, before, after time.Time) bool {
	if !exists {
		return !c.exists || c.expires && after.After(c.earliest)
	}
	gone := c.expires && before.After(c.latest)
	return c.exists && !gone && c.value == value && c.expires == ttl
}
