package commands

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"atomiccounter/engine"
)

// Classes of keyspace events. Of some there are no events here: what CONFIG SET says of them is kept.
const (
	genericEvent uint32 = 1 << iota
	stringEvent
	listEvent
	setEvent
	hashEvent
	sortedSetEvent
	expiredEvent
	evictedEvent
	streamEvent
	moduleEvent
	newEvent
	byKey   // channels __keyspace@db__:key
	byEvent // channels __keyevent@db__:event
	missEvent
)

type eventClass struct {
	letter byte
	class  uint32
	all    bool // part of A
}

// eventClasses are Redis's letters, in the order in which CONFIG GET shows them.
var eventClasses = []eventClass{
	{'g', genericEvent, true}, {'$', stringEvent, true}, {'l', listEvent, true}, {'s', setEvent, true}, {'h', hashEvent, true},
	{'z', sortedSetEvent, true}, {'x', expiredEvent, true}, {'e', evictedEvent, true}, {'t', streamEvent, true}, {'d', moduleEvent, true},
	{'n', newEvent, false}, {'K', byKey, false}, {'E', byEvent, false}, {'m', missEvent, false},
}

func allEvents() (set uint32) {
	for _, c := range eventClasses {
		if c.all {
			set |= c.class
		}
	}
	return set
}

func takeEvents(s *Server, value string) (func() error, error) {
	set := uint32(0)
	for i := range len(value) {
		at := slices.IndexFunc(eventClasses, func(c eventClass) bool { return c.letter == value[i] })
		switch {
		case value[i] == 'A':
			set |= allEvents()
		case at < 0:
			//lint:ignore ST1005 Redis's words
			return nil, errors.New("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		default:
			set |= eventClasses[at].class
		}
	}
	return sure(func() { s.Config.events.Store(set) }), nil
}

// eventNames writes a set as Redis does, which leaves n out beside A.
func eventNames(set uint32) string {
	var b strings.Builder
	all := set&allEvents() == allEvents()
	if all {
		b.WriteByte('A')
	}
	for _, c := range eventClasses {
		if set&c.class != 0 && !(all && (c.all || c.class == newEvent)) {
			b.WriteByte(c.letter)
		}
	}
	return b.String()
}

// notify tells who listens what happened to a key of the selected database.
func (c *Context) notify(class uint32, event string, key []byte) {
	if set := c.Server.Config.events.Load(); set != 0 {
		c.notifyOf(set, class, event, key)
	}
}

func (c *Context) notifyOf(set, class uint32, event string, key []byte) {
	if i := slices.Index(c.created, string(key)); i >= 0 {
		c.created = slices.Delete(c.created, i, i+1)
		c.send(set, newEvent, c.Pipe.DB, "new", key)
	}
	c.send(set, class, c.Pipe.DB, event, key)
}

// send publishes an event, if its class is wanted, to the channel of the key and to that of the event.
func (c *Context) send(set, class uint32, db uint8, event string, key []byte) {
	if set&class == 0 {
		return
	}
	at := "@" + strconv.Itoa(int(db)) + "__:"
	if set&byKey != 0 {
		c.publish(plainChannel, append([]byte("__keyspace"+at), key...), []byte(event))
	}
	if set&byEvent != 0 {
		c.publish(plainChannel, []byte("__keyevent"+at+event), key)
	}
}

func (c *Context) notifySet(key []byte, expireAt int64) {
	c.notify(stringEvent, "set", key)
	if expireAt != 0 {
		c.notify(genericEvent, "expire", key)
	}
}

// notifyExpire is of a key that expires at a time, or goes at once because that has passed.
func (c *Context) notifyExpire(key []byte, at int64) {
	if at <= c.Pipe.Now() {
		c.notify(genericEvent, "del", key)
	} else {
		c.notify(genericEvent, "expire", key)
	}
}

// hasExpiry says whether a key will expire, for those who are told when that ends.
func (c *Context) hasExpiry(key []byte) bool {
	if c.Server.Config.events.Load() == 0 {
		return false
	}
	at, ok, err := c.Pipe.ExpireTime(key)
	return ok && err == nil && at != 0
}

// looked counts a read of a key, and tells of one that is missing.
func (c *Context) looked(key []byte, found bool) {
	if found {
		c.tally.hits++
		return
	}
	c.tally.misses++
	if set := c.Server.Config.events.Load(); set != 0 {
		c.send(set, missEvent, c.Pipe.DB, "keymiss", key)
	}
}

// changed is told by the engine of what a command does beside what its handler knows.
func (c *Context) changed(_ uint8, key string, ch engine.Change) {
	set := c.Server.Config.events.Load()
	if set == 0 {
		return
	}
	switch ch {
	case engine.Created:
		if set&newEvent != 0 {
			c.created = append(c.created, strings.Clone(key))
		}
	case engine.Deleted:
		c.notifyOf(set, genericEvent, "del", []byte(key))
	case engine.Expired:
		c.notifyOf(set, expiredEvent, "expired", []byte(key))
	}
}

// background tells of what no command did: listeners of an expiry, and those who cache the key of whatever it was.
func (s *Server) background(db uint8, key string, ch engine.Change) {
	s.invalidateOf(key, ch)
	if set := s.Config.events.Load(); set != 0 && ch == engine.Expired {
		nobody := Context{Server: s}
		nobody.send(set, expiredEvent, db, "expired", []byte(key))
	}
}
