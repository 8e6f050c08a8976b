package migrate

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// hash moves a hash, page by page: it may be larger than memory. One that the target refuses in part is taken back wholly.
func (m *mover) hash(ctx context.Context, i item) error {
	there, err := m.to.Exists(ctx, i.key).Result()
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if there > 0 && !m.options.Replace {
		m.report.There++
		return nil
	}
	err = m.copyHash(ctx, i, there > 0)
	switch {
	case err == nil:
		m.report.Hashes++
		return nil
	case !replied(err):
		return err
	}
	m.left(i.key, "refused", err.Error())
	if err := m.to.Del(ctx, i.key).Err(); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	return nil
}

func (m *mover) copyHash(ctx context.Context, i item, replace bool) error {
	if replace {
		if err := m.to.Del(ctx, i.key).Err(); err != nil {
			return fmt.Errorf("to: %w", err)
		}
	}
	for cursor := uint64(0); ; {
		pairs, next, err := m.from.HScan(ctx, i.key, cursor, "", page).Result()
		if err != nil {
			return fmt.Errorf("from: %w", err)
		}
		if err := m.putFields(ctx, i, pairs); err != nil {
			return fmt.Errorf("to: %w", err)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// putFields writes fields with the expiry: every page brings it, or one that is cut off would stay for ever.
func (m *mover) putFields(ctx context.Context, i item, pairs []string) error {
	_, err := m.to.Pipelined(ctx, func(p redis.Pipeliner) error {
		for len(pairs) > 0 {
			n, bytes := 0, 0
			for n < len(pairs) && (n == 0 || bytes < maxBatch) {
				bytes += len(pairs[n]) + len(pairs[n+1])
				n += 2
			}
			p.HSet(ctx, i.key, pairs[:n])
			pairs = pairs[n:]
		}
		if i.expires() {
			p.PExpire(ctx, i.key, i.life())
		}
		return nil
	})
	return err
}
