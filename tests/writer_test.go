package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// restTime is the longest lifetime of keys that are to expire.
const restTime = 300 * time.Millisecond

// keysPerWriter is few, so that operations meet on a key before it is flushed.
const keysPerWriter = 12

// fieldsPerWriter are those of a hash that each writer has too.
const fieldsPerWriter = 5

// writer is the only one to write its keys: it knows what each reply must be, and after a crash what each key may hold.
type writer struct {
	*rand.Rand
	counters map[string]counter
	attempts map[string][]attempt // unanswered, by key
	resting  map[string]bool      // soon to expire: not touched until checked
	keys     []string
	ended    time.Time // of the last load: whatever took effect did before
}

func newWriter(seed, id uint64) *writer {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, id)), counters: make(map[string]counter)}
	for i := range keysPerWriter {
		w.keys = append(w.keys, fmt.Sprintf("own:%d:%d", id, i))
	}
	for i := range fieldsPerWriter {
		w.keys = append(w.keys, fmt.Sprintf("own:%d:hash/%d", id, i))
	}
	w.forget()
	return w
}

// forget ends a round: the counters have been checked and set to what was found.
func (w *writer) forget() {
	w.attempts, w.resting = make(map[string][]attempt), make(map[string]bool)
}

// load sends pipelines until the connection breaks. The error is a wrong reply.
func (w *writer) load(addr string, answered *atomic.Int64) error {
	defer func() { w.ended = time.Now() }()
	c, err := dial(addr)
	if err != nil {
		return nil // the server is gone already
	}
	defer c.Close()
	for {
		ops := w.burst()
		var b []byte
		sent := time.Now()
		for _, o := range ops {
			b = appendCommand(b, o.args()...)
			w.attempts[o.key] = append(w.attempts[o.key], attempt{o, sent})
		}
		if c.send(b) != nil {
			return nil
		}
		for _, o := range ops {
			r, err := c.read()
			if err != nil {
				return nil
			}
			if err := w.answered(o, r); err != nil {
				return err
			}
			answered.Add(1)
		}
	}
}

// burst draws operations on keys that do not rest; one in a while sends a key to rest.
func (w *writer) burst() []operation {
	var ops []operation
	for range 1 + w.IntN(32) {
		key := w.keys[w.IntN(len(w.keys))]
		switch {
		case w.resting[key]:
			key = w.keys[0] // never rests
			fallthrough
		default:
			ops = append(ops, randomOperation(w.Rand, key))
		case key != w.keys[0] && !strings.Contains(key, "/") && w.IntN(100) == 0:
			w.resting[key] = true
			ops = append(ops, operation{name: "PEXPIRE", key: key, n: 1 + w.Int64N(restTime.Milliseconds())})
		}
	}
	return ops
}

// answered takes the oldest attempt on o's key as done.
func (w *writer) answered(o operation, r reply) error {
	a := w.attempts[o.key][0]
	w.attempts[o.key] = w.attempts[o.key][1:]
	after, want := a.apply(w.counters[o.key], a.sent, time.Now())
	if string(r.raw) != want {
		return fmt.Errorf("%s = %v; want %q", quote(o.args()), r, want)
	}
	w.counters[o.key] = after
	return nil
}

// check reads all keys after a restart, compares them with what they may be, and goes on from what they are. It waits
// until the time of those that rest is over.
func (w *writer) check(c *conn) error {
	time.Sleep(time.Until(w.ended.Add(restTime + 2*time.Millisecond)))
	for _, key := range w.keys {
		before := time.Now()
		get := []string{"GET", key}
		hash, field, isField := strings.Cut(key, "/")
		if isField {
			get = []string{"HGET", hash, field}
		}
		value, err := c.do(get...)
		if err != nil {
			return err
		}
		ttl, err := c.do("PTTL", hash)
		if err != nil {
			return err
		}
		now := time.Now()
		found, err := w.match(key, value, ttl, before, now)
		if err != nil {
			return err
		}
		w.counters[key] = found
	}
	w.forget()
	return nil
}

func (w *writer) match(key string, value, ttl reply, before, now time.Time) (counter, error) {
	possible := outcomes(w.counters[key], w.attempts[key], w.ended)
	if value.isError() {
		return counter{}, fmt.Errorf("GET %s = %v; want a string", key, value)
	}
	for _, c := range possible {
		if ttl.text == "-2" && c.admits("", false, false, before, now) { // it may have expired after GET
			return counter{}, nil
		}
		if c.admits(value.text, !value.null, ttl.text != "-1", before, now) {
			return c, nil
		}
	}
	return counter{}, fmt.Errorf("GET %s = %v, PTTL = %v at %s; want one of %v: acknowledged, then after each of %v",
		key, value, ttl, now.Format(time.TimeOnly+".000"), possible, w.attempts[key])
}
