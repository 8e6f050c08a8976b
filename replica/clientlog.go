package replica

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogClients takes what the client library of this process says of its connections, which the node says better: it is for debugging.
func LogClients(log *slog.Logger) { redis.SetLogger(clientLog{log}) }

type clientLog struct{ *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, args ...any) {
	l.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
}
