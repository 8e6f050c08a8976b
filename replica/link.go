package replica

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

const (
	dialTimeout = 3 * time.Second
	// patience is how long nothing at all may come from a peer. A CSYNC that finds no news takes as long as it may block. Where a page
	// of a state does not begin to come, another peer's state may be had.
	patience     = blockTime + 10*time.Second
	snapPatience = 5 * time.Second
)

// link is one peer that this replica pulls from.
type link struct {
	addr   string
	puller *puller // under the node's mu
	cancel context.CancelFunc

	patience atomic.Int64 // a time.Duration: with the request that is on its way
}

func newLink(addr string, now time.Time) *link {
	return &link{addr: addr, puller: newPuller(addr, now), cancel: func() {}}
}

// run does what the puller says, until ctx ends.
func (l *link) run(ctx context.Context, n *Node) {
	c := &peerConn{link: l, o: &n.o, end: func() {}}
	defer func() { c.end() }()
	ev := Event(Woken{})
	for ctx.Err() == nil {
		a := n.step(l, ev)
		var ok bool
		if ev, ok = n.carryOut(l, a); !ok {
			ev = l.reach(ctx, c, a)
		}
	}
}

// peerConn is the connection to a peer, on which a replica speaks for itself. Under another ID, or in another life, it takes another connection.
type peerConn struct {
	link   *link
	o      *Options
	id     tlv.ReplicaID
	life   uint64
	client *redis.Client // nil: there is none yet
	end    func()
}

// as gives the connection of a replica in a life, until ctx ends.
func (c *peerConn) as(ctx context.Context, id tlv.ReplicaID, life uint64) *redis.Client {
	if c.client == nil || c.id != id || c.life != life {
		c.end()
		client := c.o.client(c.link, id, life)
		stop := context.AfterFunc(ctx, func() { client.Close() }) // an answer that is waited for ends only so
		c.id, c.life, c.client = id, life, client
		c.end = func() { stop(); client.Close() }
	}
	return c.client
}

// client is a connection to the peer of l that is made when it is needed. Only one command at a time goes over it; the second that
// the pool may open is for the case that the first is being closed. Nothing is sent over it, not even a password, before the peer has proven that it knows
// the secret, if there is one.
func (o *Options) client(l *link, id tlv.ReplicaID, life uint64) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: l.addr, Username: o.User, Password: o.Password, Protocol: 2,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := o.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if o.Secret != "" {
				stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // a peer that says nothing holds up no other link
				err := prove(conn, o.Secret, id, life)
				if !stop() && err == nil {
					err = ctx.Err()
				}
				if err != nil {
					return nil, errors.Join(err, conn.Close())
				}
			}
			return &framedConn{Conn: conn, patience: &l.patience}, nil
		},
		DialTimeout: dialTimeout, DialerRetries: 1,
		ReadTimeout: -2, WriteTimeout: -2, // framedConn sets deadlines as bytes move
		ContextTimeoutEnabled: true,
		MaxRetries:            -1, // the puller decides when to try again
		PoolSize:              1,
		MaxActiveConns:        2,
		PipelinePoolSize:      -1,
		ConnMaxIdleTime:       -1,
		DisableIdentity:       true,
		OnConnect: func(ctx context.Context, conn *redis.Conn) error {
			if redis.HasErrorPrefix(conn.ClientSetName(ctx, "atomiccounter").Err(), "NOAUTH") {
				return notLetIn(ctx, conn)
			}
			return nil
		},
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// notLetIn says why a peer does not let this replica in. A CSYNC of full length has more arguments than are read of a client that has not
// authenticated.
func notLetIn(ctx context.Context, conn *redis.Conn) error {
	err := conn.Do(ctx, "CSYNC", csync.Version).Err()
	var reply redis.Error
	if errors.As(err, &reply) {
		return csync.Error(reply.Error())
	}
	return err
}

func (o *Options) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := &net.Dialer{KeepAlive: 15 * time.Second}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if o.TLS == nil {
		return conn, nil
	}
	config, err := o.TLS()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// reach sends a request to the peer and awaits the answer, or pauses.
func (l *link) reach(ctx context.Context, c *peerConn, a Action) Event {
	switch a := a.(type) {
	case AskSync:
		l.patience.Store(int64(patience))
		sent := time.Now()
		return answered(c.as(ctx, a.ID, a.Life), ctx, a.Args(), func(reply []byte) (Event, error) {
			answer, err := csync.ParseSyncAnswer(reply)
			return synced(answer, sent), err
		})
	case AskSnap:
		l.patience.Store(int64(snapPatience))
		return answered(c.as(ctx, a.ID, a.Life), ctx, a.Args(), func(reply []byte) (Event, error) {
			answer, err := csync.ParseSnapAnswer(reply)
			return Snapped{answer}, err
		})
	case AskDigest:
		l.patience.Store(int64(snapPatience))
		return answered(c.as(ctx, a.ID, a.Life), ctx, a.Args(), func(reply []byte) (Event, error) {
			answer, err := csync.ParseDigestAnswer(reply)
			return Digested{answer}, err
		})
	case Pause:
		select {
		case <-ctx.Done():
		case <-time.After(a.For):
		}
		return Woken{}
	}
	return Lost{fmt.Errorf("bug: nobody does %T", a)}
}

func answered(client *redis.Client, ctx context.Context, args [][]byte, parse func([]byte) (Event, error)) Event {
	list := make([]any, len(args))
	for i := range args {
		list[i] = args[i]
	}
	reply, err := client.DoRaw(ctx, list...).Result()
	if err == nil {
		var ev Event
		if ev, err = parse(reply); err == nil {
			return ev
		}
	}
	return failed(err)
}

// failed tells an answer that is an error from none.
func failed(err error) Event {
	var declined csync.Error
	var reply redis.Error
	switch {
	case errors.As(err, &declined):
		return Declined{declined}
	case errors.As(err, &reply):
		return Declined{csync.Error(reply.Error())}
	case errors.Is(err, io.EOF):
		return Lost{errors.New("the peer has closed the connection")}
	}
	return Lost{err}
}
