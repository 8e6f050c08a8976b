package commands

import (
	"sync"
	"sync/atomic"
	"time"
)

// Client is what the commands know of one connection. Its session owns it; the fields that other connections read or
// write are atomic or under mu.
type Client struct {
	ID              int64
	Addr, LocalAddr string // as in CLIENT LIST: ip:port, or the socket's path with :0
	Created         time.Time

	// Only the session's goroutine uses these.
	Authenticated bool
	Reply         ReplyMode
	Close         bool // close the connection once what has been replied is sent (QUIT, SHUTDOWN, CLIENT KILL of itself)

	Kill func() // ends the connection from any goroutine; set by the session's owner

	Active atomic.Int64 // last command, ns since the Unix epoch
	DB     atomic.Int32 // copies for CLIENT LIST of what the session has
	Proto  atomic.Int32

	mu               sync.Mutex
	name             string
	libName, libVer  string
	lastCommand      string
	noEvict, noTouch bool
}

// ReplyMode is that of CLIENT REPLY.
type ReplyMode uint8

// With SkipNext the reply of the next command is left out, with Skip that of the present one.
const (
	ReplyOn ReplyMode = iota
	ReplyOff
	SkipNext
	Skip
)

// ClientRegistry knows every open connection.
type ClientRegistry struct {
	mu   sync.Mutex
	byID map[int64]*Client
	last int64
}

// Config is what CONFIG GET and CONFIG SET go by.
type Config struct {
	mu sync.RWMutex
}
