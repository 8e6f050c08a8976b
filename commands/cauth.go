package commands

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"

	"atomiccounter/replica/csync"
	"atomiccounter/replica/handshake"
	"atomiccounter/tlv"
)

// credential is what a connection has shown of itself to the replication.
type credential struct {
	proven   bool                  // it knows the peers' secret
	speaks   tlv.ReplicaID         // the replica that it speaks for; 0: none yet
	greeting *handshake.Transcript // CAUTH HELLO was answered, and CAUTH PROOF is still to come
}

// mayReplicate says whether the client may use the commands of the replication: it knows the peers' secret, or there is none and it is
// on this machine.
func (c *Context) mayReplicate() bool {
	return c.Client.credential.proven || c.Server.Config.Load().PeerSecret == "" && c.Client.Local
}

// notAllowed refuses a client that may not use a command of the replication.
func (c *Context) notAllowed(cmd *Command) string {
	c.intruder("a command of the replication is refused", slog.String("command", cmd.FullName))
	name := upper([]byte(cmd.FullName))
	if c.Server.Config.Load().PeerSecret == "" {
		return fmt.Sprintf("NOPERM %s is for peers and administrators: this server has no --peer-secret, so only clients on its own machine may use it", name)
	}
	return fmt.Sprintf("NOPERM %s is for peers and administrators: this connection has not proven that it knows the --peer-secret of this server (CAUTH)", name)
}

// speaksFor notes which replica a connection speaks for. An error is the reply: it speaks for another one.
func (c *Context) speaksFor(command string, id tlv.ReplicaID) error {
	speaks := &c.Client.credential.speaks
	if *speaks == 0 {
		*speaks = id
	}
	if *speaks == id || id == 0 { // which the node refuses
		return nil
	}
	return csync.Error(fmt.Sprintf("ERR %s: this connection speaks for replica %s; for another one it takes a connection of its own", command, csync.Hex(*speaks)))
}

func errNoSecret(c *Context) bool {
	if c.Server.Config.Load().PeerSecret != "" {
		return false
	}
	c.Out.Error("ERR CAUTH: this server has no --peer-secret; all servers that replicate have the same one, or none of them has")
	return true
}

// cAuthHello proves this server to a replica that has called.
func cAuthHello(c *Context, args [][]byte) {
	a := csync.Arguments{Command: "CAUTH HELLO"}
	if v := a.Count("handshake version", args[2]); v != handshake.Version {
		a.Fail("handshake version %d is not spoken here; this server speaks %d", v, handshake.Version)
	}
	t := &handshake.Transcript{Caller: handshake.Party{Replica: a.Replica(args[3]), Life: a.Hex("life", args[4])}}
	switch {
	case len(args[5]) != handshake.Size:
		a.Fail("a nonce has %d bytes", handshake.Size)
	case t.Caller.Replica == 0:
		a.Fail("a replica ID is not zero")
	}
	if a.Err != nil {
		c.Out.Error(a.Err.Error())
		return
	}
	if errNoSecret(c) {
		return
	}
	copy(t.Caller.Nonce[:], args[5])
	t.Called.Replica, t.Called.Life = c.Server.Engine.ReplicaID(), c.Server.Engine.Life()
	rand.Read(t.Called.Nonce[:]) // never fails
	if c.Client.Channel != nil {
		var err error
		if t.Channel, err = c.Client.Channel(); err != nil {
			c.failIn("CAUTH HELLO", err)
			return
		}
	}
	c.Client.credential.greeting = t
	c.Out.Array(4)
	c.Out.BulkString(csync.Hex(t.Called.Replica))
	c.Out.BulkString(csync.Hex(t.Called.Life))
	c.Out.Bulk(t.Called.Nonce[:])
	c.Out.Bulk(t.ProveCalled(c.Server.Config.Load().PeerSecret))
}

// cAuthProof hears the proof of the replica that has called. There is one try to a CAUTH HELLO.
func cAuthProof(c *Context, args [][]byte) {
	t := c.Client.credential.greeting
	c.Client.credential.greeting = nil
	switch {
	case t == nil:
		c.Out.Error("ERR CAUTH PROOF without CAUTH HELLO")
	case t.Caller.Same(&t.Called):
		c.Out.Error(string(csync.ErrSelf))
	case !handshake.Equal(args[2], t.ProveCaller(c.Server.Config.Load().PeerSecret)):
		c.intruder("a peer has not proven that it knows the peer secret", slog.String("replica", csync.Hex(t.Caller.Replica)))
		c.Out.Error(wrongSecret)
	default:
		c.trust(t.Caller.Replica)
	}
}

// cAuthSecret is for administrators.
func cAuthSecret(c *Context, args [][]byte) {
	if errNoSecret(c) {
		return
	}
	if subtle.ConstantTimeCompare(args[2], []byte(c.Server.Config.Load().PeerSecret)) != 1 {
		c.intruder("a client has given a wrong peer secret")
		c.Out.Error(wrongSecret)
		return
	}
	c.trust(0)
}

const wrongSecret = "WRONGPASS the peer secret is another one (or TLS ends somewhere between the two servers)"

// trust lets a connection replicate: as this replica, or as the first that it speaks for if id is 0. A client with the peers' secret can have all data
// and change them, so no password is asked for besides.
func (c *Context) trust(id tlv.ReplicaID) {
	c.Client.credential = credential{proven: true, speaks: id}
	c.Client.Authenticated.Store(true)
	c.Out.OK()
}

// intruder has the log tell of a client that is refused.
func (c *Context) intruder(text string, attrs ...slog.Attr) {
	c.Server.Log.Limited(slog.LevelWarn, text, append(attrs, slog.String("addr", c.Client.Addr))...)
}
