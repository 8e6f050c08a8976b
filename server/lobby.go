package server

import (
	"crypto/tls"
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"atomiccounter/commands"
)

// loading is the reply to every command while there is no store yet.
const loading = "-LOADING Redis is loading the dataset in memory\r\n"

// Lobby is where clients wait while the store is opened: it listens, so that an address in use is found before anything is
// created, and replies LOADING to whatever they ask, as Redis does. Those that have asked nothing yet are handed to the server;
// to the others, of whose commands it has run none, the connection is closed when it begins.
type Lobby struct {
	listeners []listener
	config    commands.Config
	bind      string
	ended     chan struct{} // closed by leave
	handlers  sync.WaitGroup

	mu     sync.Mutex
	over   bool
	guests map[net.Conn]struct{}
	silent []guest // that wait for the server
}

// guest is a connection, with TLS if secure is there.
type guest struct {
	net.Conn
	secure *tls.Config
}

// Listen opens all listeners that the options ask for, or none. The Lobby is for Options.Lobby of New, or to be closed.
func Listen(o Options) (*Lobby, error) {
	listeners, err := listen(o)
	if err != nil {
		return nil, err
	}
	l := &Lobby{listeners: listeners, bind: o.Settings.Bind, ended: make(chan struct{}), guests: make(map[net.Conn]struct{})}
	l.config.Start(o.Settings)
	for _, li := range listeners {
		l.handlers.Go(func() { l.accept(li) })
	}
	return l, nil
}

// Close ends it, unless it has become a server's.
func (l *Lobby) Close() error {
	listeners, silent, err := l.leave()
	for _, g := range silent {
		err = errors.Join(err, g.Close())
	}
	return errors.Join(err, closeAll(listeners))
}

// leave ends all that waits here, and gives what the server goes on with. Later it gives nothing.
func (l *Lobby) leave() (listeners []listener, silent []guest, err error) {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return nil, nil, nil
	}
	l.over = true
	close(l.ended)
	err = l.interrupt(time.Unix(1, 0))
	for nc := range l.guests {
		err = errors.Join(err, nc.SetDeadline(time.Unix(1, 0)))
	}
	l.mu.Unlock()
	l.handlers.Wait()
	for _, g := range l.silent {
		err = errors.Join(err, g.SetDeadline(time.Time{}))
	}
	return l.listeners, l.silent, errors.Join(err, l.interrupt(time.Time{}))
}

// interrupt sets the deadline of whoever accepts.
func (l *Lobby) interrupt(t time.Time) (err error) {
	for _, li := range l.listeners {
		err = errors.Join(err, li.Listener.(interface{ SetDeadline(time.Time) error }).SetDeadline(t))
	}
	return err
}

func (l *Lobby) accept(li listener) {
	for {
		nc, err := li.Accept()
		switch {
		case err == nil:
			l.admit(guest{nc, li.secure})
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		default: // out of descriptors, perhaps
			select {
			case <-l.ended:
				return
			case <-time.After(minAcceptPause):
			}
		}
	}
}

func (l *Lobby) admit(g guest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		l.silent = append(l.silent, g)
	case protected(&l.config, l.bind) && !local(g.RemoteAddr()):
		_ = g.turnAway(denied) // nobody waits for what comes of it; so below
	case len(l.guests) >= l.config.MaxClients():
		_ = g.turnAway(tooManyClients)
	default:
		l.guests[g.Conn] = struct{}{}
		l.handlers.Go(func() { l.entertain(g) })
	}
}

// turnAway tells the client why, and closes the connection. A new socket has room for that, so it does not wait. Under TLS nobody
// could be told without a handshake.
func (g guest) turnAway(why string) (err error) {
	if g.secure == nil {
		_, err = g.Write([]byte(why))
	}
	return errors.Join(err, g.Close())
}

// entertain replies to the guest until the server begins, or the guest goes.
func (l *Lobby) entertain(g guest) {
	silent := l.converse(g)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.guests, g.Conn)
	if silent && l.over {
		l.silent = append(l.silent, g)
		return
	}
	_ = g.Close() // nothing is under way that could fail
}

// converse says whether the guest has been silent to the end.
func (l *Lobby) converse(g guest) (silent bool) {
	c := g.Conn
	if g.secure != nil {
		c = tls.Server(g.Conn, g.secure) // its handshake is the guest's first word
	}
	silent = g.secure == nil
	var scan scanner
	in := make([]byte, 0, 1<<10)
	for {
		n, err := c.Read(in[len(in):cap(in)])
		if n == 0 && err != nil {
			return silent && errors.Is(err, os.ErrDeadlineExceeded)
		}
		silent = false
		out, rest, err := putOff(&scan, in[:len(in)+n])
		if _, e := c.Write(out); e != nil || err != nil {
			return false
		}
		in = append(make([]byte, 0, max(cap(in), 2*len(rest))), rest...)
	}
}

// putOff gives the replies to the commands that in begins with, and what follows them. After an error the guest has to go.
func putOff(scan *scanner, in []byte) (out, rest []byte, err error) {
	for {
		n, err := scan.next(in, limits{bulk: math.MaxInt64})
		switch {
		case err != nil:
			return append(out, "-ERR "+err.Error()+"\r\n"...), nil, err
		case n == 0 && len(in) > maxUnauthBuffer:
			return append(out, loading...), nil, errQueryBuffer
		case n == 0:
			return out, in, nil
		case len(scan.args) > 0:
			out = append(out, loading...)
		}
		in = in[n:]
	}
}
