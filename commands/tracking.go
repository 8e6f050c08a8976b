package commands

// Stub until clients may cache keys.
type tracking struct{}

func (t *tracking) counts() (keys, items, prefixes int) { return 0, 0, 0 }

func (s *Server) trackingClients() int { return 0 }

func (c *Context) remember(*Command, [][]byte) {}

func (c *Context) invalidate(*Command, [][]byte) {}
