// Package server lets clients in: listeners, connections, and the sessions that they carry. It knows no counter; what a
// command means is package commands' business.
//
// # A round
//
//	socket ─► read buffer ─► Session.Feed: parse ─ run ─ parse ─ run … ─ commit ─► replies + position ─► outbox ─► socket
//
// One read takes what is there, one round runs all complete commands in it, one commit journals them, one write sends the
// replies. Arguments are slices of the read buffer and replies are appended to another; both are lent to the connection
// while it is busy, so that nothing is allocated per command, and nothing is held by a connection that is idle.
//
// A session is sans-I/O: bytes in, replies out, and the journal position that the replies depend on. It runs the same on
// a goroutine per connection, in a fuzz test, or under an event loop.
//
// # Before there is a store
//
// New listens before the engine is opened, so an address in use is found before anything is created. Until Open hands the engine in,
// the commands that the table flags so are answered, the others with LOADING.
//
// # Commands that wait
//
// A command that has to wait ends its round and lets go of all locks; the replies before it are on their way. The
// connection's own goroutine then reads what the client sends meanwhile, 64 KiB at most, only to notice when it goes, and
// is interrupted by what the command waits for, by its deadline, or by the end of the server. What is pipelined behind the
// command runs after it.
//
// # Messages
//
// What others send to a client (PUBLISH, keyspace events, invalidations, MONITOR) goes into its inbox in package commands,
// and wakes its connection: the read is interrupted, as that of a command that waits is. The connection's own goroutine then
// writes what is there, between two rounds or after a command, so that replies and messages keep their order; who sends
// never waits. What came before a round's commands ran goes out before their replies. An inbox that is not emptied in time
// ends the connection.
//
// # Bounds
//
// A round ends after 1024 commands or 256 KiB of replies; they are on their way before the next one begins. A client may write all of a
// great pipeline before it reads: what its socket has no room for is queued, and sent as it is taken, while the connection reads on.
// client-output-buffer-limit bounds that queue with what others send to the client, and so does the memory for all clients together;
// beyond that it is disconnected.
// A command may be as long as the query buffer limit (64 MiB), for clients that have still to authenticate 64 KiB.
//
// # Durability
//
// In the modes everysec and no, replies are sent when their commands are journaled. In the mode always they wait in the
// connection's outbox until the journal is synced, and the syncer sends them itself; meanwhile the connection reads on,
// within bounds. If the sync fails, the client gets an error instead, and is disconnected.
//
// # Why a scanner of our own
//
// Short commands are read by ahead, at most 16 before the first of them runs, and all others by scanner. Neither uses
// redcon.ReadNextCommand. With it, and a check of what it has read, a pipeline of 64 INCR of one counter takes 130 ns a command without
// the socket in place of 112 ns (BenchmarkFeed), which is 4 % of what the server does for it with the socket. The check is needed because
// the function panics on a negative length and takes numbers with leading zeroes, and is what ahead does anyway. The scanner is needed
// for incomplete input: the function starts from the beginning whenever more of a long command arrives (quadratic in the number of
// reads), and knows no limits and none of Redis's words for errors. A test holds scanner and redcon against each other.
//
// # Faults
//
// No input makes a session panic; it is fuzzed. If a command does nevertheless, that is a bug, and the process ends,
// with the command's name in the log: the locks it held would stop one client after another.
package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"atomiccounter/commands"
	"atomiccounter/commands/config"
	"atomiccounter/engine"
)

const defaultGrace = 5 * time.Second

// Options of New. A zero field means its default.
type Options struct {
	// Settings are what CONFIG GET shows; Port, TLSPort, Bind and UnixSocket are listened on. Bind is in Redis's syntax: addresses
	// separated by spaces, * and ::* for all, and a - before those that may be missing. Without a Bind all addresses are
	// listened on, and without a password only the loopback is let in. nil: the defaults.
	Settings *config.Settings
	// TLS lets clients in that speak it, on the TLSPort of all addresses; nil: none.
	TLS *tls.Config
	// Sized is told when CONFIG SET has changed cache-size, and when clients take about another number of bytes; may be nil.
	Sized func(cache, clients int64)
	// Grace is how long Serve waits, when it ends, for slow readers to take their replies, default 5 s.
	Grace time.Duration

	Log     *commands.Log // default slog.Default()
	Version string        // of the program, for INFO
}

// Server serves clients from New, when it begins to listen, to the end of Serve.
type Server struct {
	shared    *commands.Server
	options   Options
	listeners []listener
	buffers   bufferPool

	asked    chan struct{} // closed by SHUTDOWN
	askOnce  sync.Once
	handlers sync.WaitGroup // connections and accept loops

	mu    sync.Mutex
	conns map[*conn]struct{} // nil: closed to new ones
}

// New listens, to all that the options ask for, or to none. Clients are served once Serve is called.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = &commands.Log{Logger: slog.Default()}
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	settings := config.Default()
	if o.Settings != nil {
		settings = o.Settings
	}
	listeners, err := listen(settings, o.TLS)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, listeners: listeners, asked: make(chan struct{}), conns: make(map[*conn]struct{})}
	s.shared = &commands.Server{Log: o.Log, Started: time.Now(), RunID: runID(), Port: tcpPort(listeners),
		Version: o.Version, Shutdown: s.askShutdown, Sized: o.Sized}
	shown := *settings
	shown.Port = int64(s.shared.Port)
	s.shared.Start(&shown)
	return s, nil
}

// Open hands in the engine, and what the commands of peers are answered by, nil if there is none. Both must be there until Serve has
// returned. Until then the store counts as loading. It may be called once, before Serve or during it.
func (s *Server) Open(e *engine.Engine, r commands.Replication) { s.shared.Open(e, r) }

// Progress notes how far the loading is, in bytes (engine.Options.Progress).
func (s *Server) Progress(done, total int64) { s.shared.Progress(done, total) }

func runID() string {
	var b [20]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func tcpPort(list []listener) int {
	for _, l := range list {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			return a.Port
		}
	}
	return 0
}

// Addrs are the addresses that are listened on.
func (s *Server) Addrs() []net.Addr {
	var list []net.Addr
	for _, l := range s.listeners {
		list = append(list, l.Addr())
	}
	return list
}

// Serve lets clients in until ctx ends or a client calls SHUTDOWN. Then the rounds in progress are finished and their
// replies sent, as far as the clients take them within the grace period, and the connections are closed. When it returns,
// nothing of the server runs any more. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, l := range s.listeners {
		s.handlers.Go(func() { s.accept(ctx, l) })
	}
	s.handlers.Go(func() { s.reap(ctx) })
	s.handlers.Go(func() { s.tellExpired(ctx) })
	select {
	case <-ctx.Done():
	case <-s.asked:
		cancel()
	}
	return s.close()
}

func (s *Server) askShutdown() { s.askOnce.Do(func() { close(s.asked) }) }

// close ends all that Serve began.
func (s *Server) close() error {
	err := errors.Join(closeAll(s.listeners), s.hangUp())
	if s.shared.Scripts.Busy() {
		s.shared.Scripts.Stop()
	}
	ended := make(chan struct{})
	go func() {
		s.handlers.Wait()
		close(ended)
	}()
	grace := time.NewTimer(s.options.Grace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		s.shared.Log.Warn("some clients did not take their replies in time and are disconnected")
		s.shared.Clients.Each(func(c *commands.Client) { c.Kill() })
		s.shared.Scripts.Stop()
		<-ended
	}
	return err
}

// hangUp lets no new connection in and has those there are end after the round in progress.
func (s *Server) hangUp() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if e := c.hangUp(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	s.conns = nil
	return err
}
