package push

import (
	"bytes"
	"container/heap"
	"slices"
	"sort"
	"sync"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
)

// Tracking knows which clients cache which keys, and tells them when what a key shows may be another value. The zero value
// is empty.
//
// What makes that true: a client is noted before it reads, and told after the change can be seen. So it either read the new
// value, or is told. A key is forgotten when the clients that cache it are told: they read it again if they want it.
type Tracking struct {
	mu       sync.Mutex
	clients  map[int64]*tracker
	keys     map[string]*trackedKey
	items    int // clients of all keys
	bytes    int // of the names of all keys
	prefixes map[string]map[int64]struct{}
	expiries expiries
}

// tracker is a client that caches keys.
type tracker struct {
	id       int64 // of the client
	to       *Receiver
	mode     Mode
	prefixes []string     // of mode.Broadcast, sorted
	redirect *Redirection // nil: it is told itself
}

// Mode is how a client wants to be told.
type Mode struct {
	On        bool
	Broadcast bool  // of all keys with its prefixes, read or not
	OptIn     bool  // only of keys that it asked for with CLIENT CACHING YES
	OptOut    bool  // but not of those with CLIENT CACHING NO
	NoLoop    bool  // not of its own changes
	Redirect  int64 // the ID of the client that is told instead; 0: there is none
}

// trackedKey is a key that clients cache. The database is left out, as in Redis.
type trackedKey struct {
	name     string
	clients  []int64 // sorted
	expireAt int64   // when it reads as absent, ms; 0: never
	place    int     // in expiries, if it has one
}

// maxTracked bounds the names of tracked keys, in bytes.
const maxTracked = 256 << 20

// Begin has a client track keys, or changes how. It says how many bytes its prefixes take.
func (t *Tracking) Begin(id int64, to *Receiver, mode Mode, prefixes []string, redirect *Redirection) (bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients == nil {
		t.clients, t.keys, t.prefixes = make(map[int64]*tracker), make(map[string]*trackedKey), make(map[string]map[int64]struct{})
	}
	tr := t.clients[id]
	if tr == nil {
		tr = &tracker{id: id, to: to}
		t.clients[id] = tr
	}
	tr.mode, tr.redirect = mode, redirect
	for _, p := range prefixes {
		if at, have := slices.BinarySearch(tr.prefixes, p); !have {
			tr.prefixes = slices.Insert(tr.prefixes, at, p)
		}
		if t.prefixes[p] == nil {
			t.prefixes[p] = make(map[int64]struct{})
		}
		t.prefixes[p][id] = struct{}{}
	}
	for _, p := range tr.prefixes {
		bytes += nameSize(p)
	}
	return bytes
}

// End forgets a client, and says whether there are others. Keys that it cached are forgotten when they change.
func (t *Tracking) End(id int64) (others bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr := t.clients[id]; tr != nil {
		for _, p := range tr.prefixes {
			if delete(t.prefixes[p], id); len(t.prefixes[p]) == 0 {
				delete(t.prefixes, p)
			}
		}
		delete(t.clients, id)
	}
	if len(t.clients) == 0 {
		t.forgetKeys()
	}
	return len(t.clients) > 0
}

func (t *Tracking) forgetKeys() {
	t.keys, t.items, t.bytes, t.expiries = make(map[string]*trackedKey), 0, 0, nil
}

// Prefixes gives the prefixes of a client.
func (t *Tracking) Prefixes(id int64) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr := t.clients[id]; tr != nil {
		return slices.Clone(tr.prefixes)
	}
	return nil
}

// Counts are the numbers of keys, of clients of all keys together, and of prefixes.
func (t *Tracking) Counts() (keys, items, prefixes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.keys), t.items, len(t.prefixes)
}

// Clients says how many clients track keys.
func (t *Tracking) Clients() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.clients)
}

// Note remembers that a client is about to read keys. Of more than most keys some are forgotten, and the clients that cache them told.
func (t *Tracking) Note(id int64, keys [][]byte, most int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[id] == nil {
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
		if at, have := slices.BinarySearch(k.clients, id); !have {
			k.clients = slices.Insert(k.clients, at, id)
			t.items++
		}
	}
	for most > 0 && int64(len(t.keys)) > most || t.bytes > maxTracked {
		for _, k := range t.keys {
			t.tell(k, 0)
			break
		}
	}
}

// NoteExpiry remembers when a key that is tracked will read as absent.
func (t *Tracking) NoteExpiry(name []byte, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[string(name)]
	switch {
	case k == nil:
	case k.expireAt == 0:
		k.expireAt = at
		heap.Push(&t.expiries, k)
	case at < k.expireAt:
		k.expireAt = at
		heap.Fix(&t.expiries, k.place)
	}
}

// tell forgets a key, and tells the clients that cache it; by is the client that changed it, 0: none.
func (t *Tracking) tell(k *trackedKey, by int64) {
	delete(t.keys, k.name)
	t.items -= len(k.clients)
	t.bytes -= len(k.name)
	if k.expireAt != 0 {
		heap.Remove(&t.expiries, k.place)
	}
	m := invalidation([]string{k.name})
	for _, id := range k.clients {
		if tr := t.clients[id]; tr != nil && !tr.mode.Broadcast {
			tr.send(m, by)
		}
	}
}

// send tells a client, if its protocol can, or the one that it redirects to. In RESP2 a push would look like a reply: as in
// Redis nothing is sent.
func (tr *tracker) send(m Message, by int64) {
	switch {
	case tr.id == by && tr.mode.NoLoop:
	case tr.redirect == nil:
		tr.to.Send(Message{RESP3: m.RESP3}, 0)
	case !tr.redirect.send(m):
		tr.to.BrokenRedirect.Store(true)
		tr.to.Send(Message{RESP3: redirectBroken(tr.mode.Redirect)}, 0)
	}
}

// invalidation tells of keys, or with nil of all. In RESP2 it is a message of invalidationChannel.
func invalidation(names []string) Message {
	head2, head3 := resp.Reply{Proto: 2}, resp.Reply{Proto: 3}
	head2.Push(3)
	head2.BulkString("message")
	head2.BulkString(invalidationChannel)
	head3.Push(2)
	head3.BulkString("invalidate")
	if names == nil {
		head2.Null()
		head3.Null()
		return Message{head2.Buf, head3.Buf}
	}
	var r resp.Reply
	r.Array(len(names))
	for _, name := range names {
		r.BulkString(name)
	}
	return Message{append(head2.Buf, r.Buf...), append(head3.Buf, r.Buf...)}
}

// Changed tells of keys that have changed, by a client, or 0.
func (t *Tracking) Changed(names [][]byte, by int64) {
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
				t.clients[id].send(m, by)
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

// Everything tells all that nothing they cache is known to be true.
func (t *Tracking) Everything() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.clients) == 0 {
		return
	}
	t.forgetKeys()
	m := invalidation(nil)
	for _, tr := range t.clients {
		tr.send(m, 0)
	}
}

// TellExpired tells of the keys whose time has come.
func (t *Tracking) TellExpired(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.expiries) > 0 && t.expiries[0].expireAt <= now {
		t.tell(t.expiries[0], 0)
	}
}
