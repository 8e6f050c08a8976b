package commands

import (
	"slices"
	"strconv"
	"strings"

	"atomiccounter/commands/push"
	"atomiccounter/engine"
)

// Classes of keyspace events, in the order of config.Settings.Events. Of some there are no events here: what CONFIG SET says of them is
// kept.
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

// notify tells the listeners what happened to a key of the selected database.
func (c *Context) notify(class uint32, event string, key []byte) {
	if set := c.Server.Config.Load().Events; set != 0 {
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
		c.publish(push.Plain, append([]byte("__keyspace"+at), key...), []byte(event))
	}
	if set&byEvent != 0 {
		c.publish(push.Plain, []byte("__keyevent"+at+event), key)
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

// hasExpiry says whether a key will expire, for the clients that are told when that ends.
func (c *Context) hasExpiry(key []byte) bool {
	if c.Server.Config.Load().Events == 0 {
		return false
	}
	at, ok, err := c.Pipe.ExpireTime(key)
	return ok && err == nil && at != 0
}

// looked counts a read of a key, and tells of one that is missing.
func (c *Context) looked(key []byte, found bool) {
	if found {
		c.round.Hits++
		return
	}
	c.round.Misses++
	if set := c.Server.Config.Load().Events; set != 0 {
		c.send(set, missEvent, c.Pipe.DB, "keymiss", key)
	}
}

// changed is told by the engine of what a command does beside what its handler knows.
func (c *Context) changed(_ uint8, key string, ch engine.Change) {
	set := c.Server.Config.Load().Events
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

// background tells of what no command did: listeners of an expiry, and the clients that cache the key of whatever it was.
func (s *Server) background(db uint8, key string, ch engine.Change) {
	s.invalidateOf(key, ch)
	if set := s.Config.Load().Events; set != 0 && ch == engine.Expired {
		nobody := Context{Server: s}
		nobody.send(set, expiredEvent, db, "expired", []byte(key))
	}
}
