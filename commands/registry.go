package commands

import (
	"cmp"
	"slices"
	"sync"
)

// ClientRegistry knows every open connection. The zero value is empty and ready.
type ClientRegistry struct {
	mu   sync.Mutex
	byID map[int64]*Client
	last int64
}

// Add gives c its ID and makes it known to CLIENT LIST and KILL. False: there are limit clients already, and c is not added.
func (r *ClientRegistry) Add(c *Client, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byID) >= limit {
		return false
	}
	if r.byID == nil {
		r.byID = make(map[int64]*Client)
	}
	r.last++
	c.ID = r.last
	r.byID[c.ID] = c
	return true
}

// Remove forgets c, whose connection has ended. It may be called more than once.
func (r *ClientRegistry) Remove(c *Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[c.ID] == c {
		delete(r.byID, c.ID)
	}
}

// Count is the number of open connections.
func (r *ClientRegistry) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID)
}

// Blocked is the number of clients whose command waits.
func (r *ClientRegistry) Blocked() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.byID {
		if c.Blocked() {
			n++
		}
	}
	return n
}

// Watching is the number of clients that watch keys.
func (r *ClientRegistry) Watching() (n int) {
	r.Each(func(c *Client) {
		if c.queue.watches() > 0 {
			n++
		}
	})
	return n
}

// Each calls f with every client, the oldest first. Clients may come and go meanwhile; f may call any method of r.
func (r *ClientRegistry) Each(f func(*Client)) {
	for _, c := range r.all() {
		f(c)
	}
}

func (r *ClientRegistry) all() []*Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Client, 0, len(r.byID))
	for _, c := range r.byID {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *Client) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// memory is about how many bytes connections hold, beyond those lent to them while they are busy.
func (r *ClientRegistry) memory() (n int64) {
	r.Each(func(c *Client) {
		n += clientSize + c.memory.total()
	})
	return n
}

// clientSize is about what a connection that is idle takes in memory, its goroutine's stack included.
const clientSize = 8 << 10

func (r *ClientRegistry) largestInput() (n int64) {
	r.Each(func(c *Client) { n = max(n, c.memory.query.Load()) })
	return n
}

func (r *ClientRegistry) largestOutput() (n int64) {
	r.Each(func(c *Client) { n = max(n, c.Waiting()) })
	return n
}

// find gives the client with an ID; nil: there is none.
func (r *ClientRegistry) find(id int64) *Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}
