package push

import (
	"maps"
	"slices"
	"sync"

	"atomiccounter/commands/resp"
)

// Channels knows which receivers listen to which channel. Messages go to those that listen at that moment, in the same order to all. The
// zero value is empty.
type Channels struct {
	mu       sync.Mutex
	of       [Kinds]map[string]map[*Receiver]struct{}
	patterns []string // the patterns in of; nil: they have changed. Not changed in place
}

// Kind is one of the three ways to listen.
type Kind uint8

const (
	Plain   Kind = iota // SUBSCRIBE
	Pattern             // PSUBSCRIBE
	Shard               // SSUBSCRIBE
	Kinds               // how many there are
)

// Add has a client listen to a channel, and says how many bytes the names of all its channels take. False: that would be more than most.
func (ch *Channels) Add(r *Receiver, kind Kind, name string, most int64) (bytes int64, ok bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if _, have := r.subscribed[kind][name]; !have {
		if r.bytes+nameSize(name) > most {
			return r.bytes, false
		}
		r.bytes += nameSize(name)
	}
	if ch.of[kind] == nil {
		ch.of[kind] = make(map[string]map[*Receiver]struct{})
	}
	if ch.of[kind][name] == nil {
		ch.of[kind][name] = make(map[*Receiver]struct{})
		ch.changed(kind)
	}
	ch.of[kind][name][r] = struct{}{}
	if r.subscribed[kind] == nil {
		r.subscribed[kind] = make(map[string]struct{})
	}
	r.subscribed[kind][name] = struct{}{}
	r.Listens[kind].Store(int64(len(r.subscribed[kind])))
	return r.bytes, true
}

// nameSize is about what a channel takes in memory for each client that listens to it.
func nameSize(name string) int64 { return int64(len(name)) + 128 }

// Remove has a client listen to a channel no more, and says how many bytes the names of the others take.
func (ch *Channels) Remove(r *Receiver, kind Kind, name string) (bytes int64) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.drop(r, kind, name)
	return r.bytes
}

func (ch *Channels) drop(r *Receiver, kind Kind, name string) {
	delete(ch.of[kind][name], r)
	if len(ch.of[kind][name]) == 0 {
		delete(ch.of[kind], name)
		ch.changed(kind)
	}
	if _, had := r.subscribed[kind][name]; had {
		delete(r.subscribed[kind], name)
		r.bytes -= nameSize(name)
	}
	r.Listens[kind].Store(int64(len(r.subscribed[kind])))
}

// RemoveAll has a client listen to nothing any more.
func (ch *Channels) RemoveAll(r *Receiver) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for kind := range Kinds {
		for name := range r.subscribed[kind] {
			ch.drop(r, kind, name)
		}
	}
}

// Listing gives what a client listens to.
func (ch *Channels) Listing(r *Receiver, kind Kind) []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return slices.Sorted(maps.Keys(r.subscribed[kind]))
}

// Counts are the numbers of channels, of patterns and of shard channels that have a listener.
func (ch *Channels) Counts() (plain, patterns, shards int) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.of[Plain]), len(ch.of[Pattern]), len(ch.of[Shard])
}

func (ch *Channels) changed(kind Kind) {
	if kind == Pattern {
		ch.patterns = nil
	}
}

// Names lists the channels of a kind that have a listener.
func (ch *Channels) Names(kind Kind) []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return slices.Collect(maps.Keys(ch.of[kind]))
}

// Patterns lists the patterns that have a listener. The list is not to be changed.
func (ch *Channels) Patterns() []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.patterns == nil {
		ch.patterns = slices.Collect(maps.Keys(ch.of[Pattern]))
	}
	return ch.patterns
}

// Listeners says how many clients listen to a channel.
func (ch *Channels) Listeners(kind Kind, name string) int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.of[kind][name])
}

// Message is a push in both protocols.
type Message struct{ RESP2, RESP3 []byte }

// newMessage makes a push of strings.
func newMessage(parts ...[]byte) Message {
	var r resp.Reply
	for _, part := range parts {
		r.Bulk(part)
	}
	head2, head3 := resp.Reply{Proto: 2}, resp.Reply{Proto: 3}
	head2.Push(len(parts))
	head3.Push(len(parts))
	return Message{append(head2.Buf, r.Buf...), append(head3.Buf, r.Buf...)}
}

// Publish sends a message to all that listen to a channel, or to one of the patterns, by way of send, and says to how many.
func (ch *Channels) Publish(kind Kind, channel, payload []byte, patterns []string, send func(*Receiver, Message)) (n int64) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if list := ch.of[kind][string(channel)]; len(list) > 0 {
		word := "message"
		if kind == Shard {
			word = "smessage"
		}
		n += post(list, newMessage([]byte(word), channel, payload), send)
	}
	for _, pattern := range patterns {
		if list := ch.of[Pattern][pattern]; len(list) > 0 {
			n += post(list, newMessage([]byte("pmessage"), []byte(pattern), channel, payload), send)
		}
	}
	return n
}

func post(list map[*Receiver]struct{}, m Message, send func(*Receiver, Message)) int64 {
	for r := range list {
		send(r, m)
	}
	return int64(len(list))
}
