package server

import (
	"context"
	"time"

	"atomiccounter/commands"
)

// reapInterval is how often idle clients are looked for. One sweep over all of them each second is cheaper than a timer
// for every read, and a change of the timeout holds for clients that are connected already.
const reapInterval = time.Second

// expiryInterval is how late the clients that cache a key may learn that it has expired.
const expiryInterval = 100 * time.Millisecond

// tellExpired tells the clients that cache keys of expiries, those of other replicas too.
func (s *Server) tellExpired(ctx context.Context) {
	ticker := time.NewTicker(expiryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.shared.TellExpired()
		}
	}
}

func (s *Server) reap(ctx context.Context) {
	ticker := time.NewTicker(reapInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.reapIdle(now)
			s.shared.Sample(now)
		}
	}
}

// reapIdle disconnects the clients that have sent nothing for longer than the configured timeout. One that waits for the
// reply to a command, or listens to messages, is not idle.
func (s *Server) reapIdle(now time.Time) {
	timeout := s.shared.Config.Timeout()
	if timeout == 0 {
		return
	}
	latest := now.Add(-timeout).UnixNano()
	s.shared.Clients.Each(func(c *commands.Client) {
		if c.Active.Load() < latest && !c.Waits() {
			s.shared.Log.Debug("closing idle client", "client", c.ID, "addr", c.Addr)
			c.Kill()
		}
	})
}
