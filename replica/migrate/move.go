package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxValue = 1 << 20 // bytes: the longest text that a key may hold
	maxBatch = 8 << 20 // bytes of values that are held at a time, about
)

// item is a key on its way.
type item struct {
	key  string
	kind string
	ttl  time.Duration // as PTTL replied it; negative: none
	size int64         // of a string, in bytes

	counter, added bool // it is added, and was
}

func (i *item) expires() bool { return i.ttl >= 0 }

// life is how long an expiring key has still to live; 0 would mean for ever.
func (i *item) life() time.Duration { return max(i.ttl, time.Millisecond) }

// move moves a page of keys.
func (m *mover) move(ctx context.Context, keys []string) error {
	items, err := m.look(ctx, keys)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	var strings []item
	for _, i := range items {
		switch {
		case i.kind == "none": // gone since SCAN named it
		case i.kind == "string" && i.size <= maxValue:
			strings = append(strings, i)
		case i.kind == "string":
			m.left(i.key, "string longer than 1 MiB", "")
		case i.kind == "hash":
			if err := m.hash(ctx, i); err != nil {
				return err
			}
		default:
			m.left(i.key, i.kind, "")
		}
	}
	m.report.Seen += int64(len(items))
	return m.strings(ctx, strings)
}

// look asks what the keys are.
func (m *mover) look(ctx context.Context, keys []string) ([]item, error) {
	kinds, ttls, sizes := make([]*redis.StatusCmd, len(keys)), make([]*redis.DurationCmd, len(keys)), make([]*redis.IntCmd, len(keys))
	_, err := m.from.Pipelined(ctx, func(p redis.Pipeliner) error {
		for n, key := range keys {
			kinds[n], ttls[n], sizes[n] = p.Type(ctx, key), p.PTTL(ctx, key), p.StrLen(ctx, key)
		}
		return nil
	})
	if err != nil && !replied(err) { // STRLEN of what is no string is an error
		return nil, err
	}
	items := make([]item, len(keys))
	for n, key := range keys {
		if err := errors.Join(kinds[n].Err(), ttls[n].Err()); err != nil {
			return nil, err
		}
		items[n] = item{key: key, kind: kinds[n].Val(), ttl: ttls[n].Val(), size: sizes[n].Val()}
	}
	return items, nil
}

// replied says whether an error is what a server answered, and not that it did not.
func replied(err error) bool {
	var e redis.Error
	return errors.As(err, &e)
}

// strings moves strings, as many at a time as their sizes allow.
func (m *mover) strings(ctx context.Context, list []item) error {
	for len(list) > 0 {
		n, bytes := 1, list[0].size
		for n < len(list) && bytes+list[n].size <= maxBatch {
			bytes += list[n].size
			n++
		}
		if err := m.someStrings(ctx, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

func (m *mover) someStrings(ctx context.Context, list []item) error {
	values := make([]*redis.StringCmd, len(list))
	_, err := m.from.Pipelined(ctx, func(p redis.Pipeliner) error {
		for n, i := range list {
			values[n] = p.Get(ctx, i.key)
		}
		return nil
	})
	if err != nil && !replied(err) {
		return fmt.Errorf("from: %w", err)
	}
	sets := make([]*redis.Cmd, len(list))
	_, err = m.to.Pipelined(ctx, func(p redis.Pipeliner) error {
		for n := range list {
			if values[n].Err() == nil {
				list[n].counter = m.adds(values[n].Val())
				sets[n] = p.Do(ctx, m.write(list[n], values[n].Val())...)
			}
		}
		return nil
	})
	if err != nil && !replied(err) {
		return fmt.Errorf("to: %w", err)
	}
	for n := range list {
		m.settle(&list[n], values[n].Err(), sets[n])
	}
	return m.expire(ctx, list)
}

// write is the command that brings a string.
func (m *mover) write(i item, value string) []any {
	if i.counter {
		return m.add(i, value)
	}
	return m.set(i, value)
}

// set is the command that writes a string. Its expiry is as far away as it was: the two clocks need not agree.
func (m *mover) set(i item, value string) []any {
	args := []any{"set", i.key, value}
	if !m.options.Replace {
		args = append(args, "nx")
	}
	if i.expires() {
		args = append(args, "px", i.life().Milliseconds())
	}
	return args
}

// settle counts what became of a string.
func (m *mover) settle(i *item, read error, set *redis.Cmd) {
	switch {
	case errors.Is(read, redis.Nil): // gone meanwhile
	case read != nil:
		m.left(i.key, "changed while it was read", read.Error())
	case set.Err() == nil && i.counter:
		i.added = true
		m.report.Added++
	case set.Err() == nil:
		m.report.Strings++
	case errors.Is(set.Err(), redis.Nil):
		m.report.There++
	case i.counter && addedOtherwise(set.Err()):
		m.left(i.key, "added before, when it had another value", "")
	default:
		m.left(i.key, "refused", set.Err().Error())
	}
}

func (m *mover) left(key, why, detail string) {
	e := Example{m.db, key, detail}
	m.report.leave(why, e)
	if m.options.Left != nil {
		m.options.Left(why, e)
	}
}
