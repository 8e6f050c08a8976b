package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// With Options.Add a counter of the source is added to what the target has of it, so that writers may count there already. It is
// added once: the increment has a token that says which source it is from, and the target knows it for a day.

// addedFor is how long the target knows what was added, in seconds: the longest that it remembers a token.
const addedFor = 24 * 3600

// tokenOf is the token under which keys of a database of the source are added: the key itself belongs to it anyway. The run ID
// tells one life of a Redis from all others.
func tokenOf(ctx context.Context, from *redis.Client, db int) (string, error) {
	info, err := from.Info(ctx, "server").Result()
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); ok && id != "" {
			return fmt.Sprintf("import/%s/%d", id, db), nil
		}
	}
	return "", errors.New("INFO names no run_id, without which nothing can be added just once")
}

// adds says whether a value is a counter's, which is added.
func (m *mover) adds(value string) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	return m.options.Add && err == nil && strconv.FormatInt(n, 10) == value
}

// add is the command that adds a counter.
func (m *mover) add(i item, value string) []any {
	return []any{"cincrby", i.key, value, "token", m.token, "ex", addedFor}
}

// addedOtherwise says that the key was added before, when the source had another value.
func addedOtherwise(err error) bool { return strings.Contains(err.Error(), "token was used") }

// expire gives counters that were added the life that they had, if the target knows of none.
func (m *mover) expire(ctx context.Context, list []item) error {
	_, err := m.to.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, i := range list {
			if i.added && i.expires() {
				p.Do(ctx, "pexpire", i.key, i.life().Milliseconds(), "nx")
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	return nil
}
