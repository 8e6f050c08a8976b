package commands

import (
	"bytes"
	"container/heap"
	"slices"
	"sort"
	"sync"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
)

// tracking knows which clients cache which keys, and tells them when what a key shows may be another value. The zero value
// is empty.
//
// What makes that true: a client is noted before it reads, and told after the change can be seen. So it either read the new
// value, or is told. A key is forgotten when those who cache it are told: they read it again if they want it.
type tracking struct {
	mu       sync.Mutex
	clients  map[int64]*tracker
	keys     map[string]*trackedKey
	items    int // clients of all keys
	bytes    int // of the names of all keys
	prefixes map[string]map[int64]struct{}
	lapses   lapses
}

// tracker is a client that caches keys.
type tracker struct {
	client   *Client
	mode     trackMode
	prefixes []string     // of mode.broadcast, sorted
	redirect *redirection // nil: it is told itself
}

// trackMode is how a client wants to be told.
type trackMode struct {
	on        bool
	broadcast bool  // of all keys with its prefixes, read or not
	optIn     bool  // only of keys that it asked for with CLIENT CACHING YES
	optOut    bool  // but not of those with CLIENT CACHING NO
	noLoop    bool  // not of its own changes
	redirect  int64 // the ID of the client that is told instead; 0: there is none
}

// trackedKey is a key that clients cache. The database is left out, as in Redis.
type trackedKey struct {
	name    string
	clients []int64 // sorted
	lapse   int64   // when it reads as absent, ms; 0: never
	place   int     // in lapses, if it has a lapse
}

// maxTracked bounds the names of tracked keys, in bytes.
const maxTracked = 256 << 20

// begin has a client track keys, or changes how.
func (t *tracking) begin(cl *Client, mode trackMode, prefixes []string, redirect *redirection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients == nil {
		t.clients, t.keys, t.prefixes = make(map[int64]*tracker), make(map[string]*trackedKey), make(map[string]map[int64]struct{})
	}
	tr := t.clients[cl.ID]
	if tr == nil {
		tr = &tracker{client: cl}
		t.clients[cl.ID] = tr
	}
	tr.mode, tr.redirect = mode, redirect
	for _, p := range prefixes {
		if at, have := slices.BinarySearch(tr.prefixes, p); !have {
			tr.prefixes = slices.Insert(tr.prefixes, at, p)
		}
		if t.prefixes[p] == nil {
			t.prefixes[p] = make(map[int64]struct{})
		}
		t.prefixes[p][cl.ID] = struct{}{}
	}
	size := int64(0)
	for _, p := range tr.prefixes {
		size += nameSize(p)
	}
	cl.memory.set(prefixed, size, cl.server)
}

// end forgets a client, and says whether there are others. Keys that it cached are forgotten when they change.
func (t *tracking) end(cl *Client) (others bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr := t.clients[cl.ID]; tr != nil {
		for _, p := range tr.prefixes {
			if delete(t.prefixes[p], cl.ID); len(t.prefixes[p]) == 0 {
				delete(t.prefixes, p)
			}
		}
		delete(t.clients, cl.ID)
		cl.memory.set(prefixed, 0, cl.server)
	}
	if len(t.clients) == 0 {
		t.forgetKeys()
	}
	return len(t.clients) > 0
}

func (t *tracking) forgetKeys() {
	t.keys, t.items, t.bytes, t.lapses = make(map[string]*trackedKey), 0, 0, nil
}

// describe gives the prefixes of a client.
func (t *tracking) describe(cl *Client) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr := t.clients[cl.ID]; tr != nil {
		return slices.Clone(tr.prefixes)
	}
	return nil
}

func (t *tracking) counts() (keys, items, prefixes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.keys), t.items, len(t.prefixes)
}

func (t *tracking) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.clients)
}

// note remembers that a client is about to read keys. Of more than most keys some are forgotten, and those who cache them told.
func (t *tracking) note(cl *Client, keys [][]byte, most int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[cl.ID] == nil {
		return
	}
	for _, name := range keys {
		if len(name) > engine.MaxKey { // there is none
			continue
		}
		k := t.keys[string(name)]
		if k == nil {
			k = &trackedKey{name: string(name)}
			t.keys[k.name] = k
			t.bytes += len(name)
		}
		if at, have := slices.BinarySearch(k.clients, cl.ID); !have {
			k.clients = slices.Insert(k.clients, at, cl.ID)
			t.items++
		}
	}
	for most > 0 && int64(len(t.keys)) > most || t.bytes > maxTracked {
		for _, k := range t.keys {
			t.tell(k, nil)
			break
		}
	}
}

// noteLapse remembers when a key that is tracked will read as absent.
func (t *tracking) noteLapse(name []byte, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[string(name)]
	switch {
	case k == nil:
	case k.lapse == 0:
		k.lapse = at
		heap.Push(&t.lapses, k)
	case at < k.lapse:
		k.lapse = at
		heap.Fix(&t.lapses, k.place)
	}
}

// tell forgets a key, and tells those who cache it; by is the client that changed it, or nil.
func (t *tracking) tell(k *trackedKey, by *Client) {
	delete(t.keys, k.name)
	t.items -= len(k.clients)
	t.bytes -= len(k.name)
	if k.lapse != 0 {
		heap.Remove(&t.lapses, k.place)
	}
	m := invalidation([]string{k.name})
	for _, id := range k.clients {
		if tr := t.clients[id]; tr != nil && !tr.mode.broadcast {
			tr.push(m, by)
		}
	}
}

// push tells a client, if its protocol can, or the one that it redirects to. In RESP2 a push would look like a reply: as in
// Redis nothing is sent.
func (tr *tracker) push(m message, by *Client) {
	switch {
	case tr.client == by && tr.mode.noLoop:
	case tr.redirect == nil:
		tr.client.push(nil, m.resp3, 0)
	case !tr.redirect.push(m):
		tr.client.brokenRedirect.Store(true)
		tr.client.push(nil, redirectBroken(tr.mode.redirect), 0)
	}
}

// invalidation tells of keys, or with nil of all. In RESP2 it is a message of invalidationChannel.
func invalidation(names []string) message {
	head2, head3 := resp.Reply{Proto: 2}, resp.Reply{Proto: 3}
	head2.Push(3)
	head2.BulkString("message")
	head2.BulkString(invalidationChannel)
	head3.Push(2)
	head3.BulkString("invalidate")
	if names == nil {
		head2.Null()
		head3.Null()
		return message{head2.Buf, head3.Buf}
	}
	var r resp.Reply
	r.Array(len(names))
	for _, name := range names {
		r.BulkString(name)
	}
	return message{append(head2.Buf, r.Buf...), append(head3.Buf, r.Buf...)}
}

// changed tells of keys that have changed.
func (t *tracking) changed(names [][]byte, by *Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		if k := t.keys[string(name)]; k != nil {
			t.tell(k, by)
		}
	}
	for prefix, ids := range t.prefixes {
		if found := withPrefix(names, prefix); len(found) > 0 {
			m := invalidation(found)
			for id := range ids {
				t.clients[id].push(m, by)
			}
		}
	}
}

// withPrefix gives those that begin so, each once, sorted.
func withPrefix(names [][]byte, prefix string) (found []string) {
	for _, name := range names {
		if bytes.HasPrefix(name, []byte(prefix)) {
			found = append(found, string(name))
		}
	}
	sort.Strings(found)
	return slices.Compact(found)
}

// everything tells all that nothing they cache is known to be true.
func (t *tracking) everything() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.clients) == 0 {
		return
	}
	t.forgetKeys()
	m := invalidation(nil)
	for _, tr := range t.clients {
		tr.push(m, nil)
	}
}

// lapsed tells of the keys whose time has come.
func (t *tracking) lapsed(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.lapses) > 0 && t.lapses[0].lapse <= now {
		t.tell(t.lapses[0], nil)
	}
}
