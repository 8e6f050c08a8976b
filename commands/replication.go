package commands

import (
	"errors"
	"time"

	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// Replication is the node that replicates the store (package replica). Its methods may wait for a flush, so none is called
// while Pipe holds locks.
type Replication interface {
	// Sync, Snap and Digest answer a peer. An csync.Error is a reply as it is.
	Sync(remote string, r csync.SyncRequest) (csync.SyncAnswer, error)
	Snap(remote string, r csync.SnapRequest) (csync.SnapAnswer, error)
	Digest(remote string, r csync.DigestRequest) (csync.DigestAnswer, error)

	AddPeer(addr string) (bool, error)
	DelPeer(addr string) (bool, error)
	Peers() []csync.PeerStatus
	Ready() bool   // what shows is not half of a state that is being fetched
	Joining() bool // the store was made with peers and has not had all of their state yet; once false it stays so
	Forget(id tlv.ReplicaID, force bool) (keys int64, err error)

	// Acked is how many peers have what this replica published up to a stamp; AckNews is closed when it may be another number.
	Acked(own tlv.Stamp) int
	AckNews() <-chan struct{}
	LastHeard(id tlv.ReplicaID) (time.Time, bool)
}

const errNoReplication = "ERR replication is not running"

// node is Server.Replication. False: there is none, and the reply is written.
func (c *Context) node() (Replication, bool) {
	if c.Server.Replication == nil {
		c.Out.Error(errNoReplication)
		return nil, false
	}
	return c.Server.Replication, true
}

// cSync answers a peer with the batches that it lacks: as soon as there are any, or with none when its time is over.
func cSync(c *Context, args [][]byte) {
	r, err := csync.ParseSyncRequest(args)
	until := deadline(r.Block.Milliseconds())
	c.answerPeer("CSYNC", r.ID, err, func(node Replication) { c.sync(node, &r, until, false) })
}

func (c *Context) sync(node Replication, r *csync.SyncRequest, until time.Time, expired bool) {
	news := c.Server.Engine.News()
	a, err := node.Sync(c.Client.Addr, *r)
	if err == nil && len(a.Batches) == 0 && !a.NeedState && !expired && time.Now().Before(until) {
		c.wait(news, until, func(expired bool) { c.sync(node, r, until, expired) })
		return
	}
	c.replyPeer("CSYNC", &a, err)
}

// cSnap answers a peer with a page of a snapshot.
func cSnap(c *Context, args [][]byte) {
	r, err := csync.ParseSnapRequest(args)
	c.answerPeer("CSNAP", r.ID, err, func(node Replication) {
		a, err := node.Snap(c.Client.Addr, r)
		c.replyPeer("CSNAP", &a, err)
	})
}

// cDigest answers a peer that compares what the two stores show of keys.
func cDigest(c *Context, args [][]byte) {
	r, err := csync.ParseDigestRequest(args)
	c.answerPeer("CDIGEST", r.ID, err, func(node Replication) {
		a, err := node.Digest(c.Client.Addr, r)
		c.replyPeer("CDIGEST", &a, err)
	})
}

// answerPeer has the node answer a request of replica id. err is the reply if the request could not be read. The
// connection speaks for the first replica that it names, even if the rest of the request is wrong.
func (c *Context) answerPeer(command string, id tlv.ReplicaID, err error, answer func(Replication)) {
	if another := c.speaksFor(command, id); another != nil {
		err = another
	}
	if err != nil {
		c.failPeer(command, err)
		return
	}
	c.apart(func() {
		if node, ok := c.node(); ok {
			answer(node)
		}
	})
}

// replyPeer writes the node's answer, or why there is none.
func (c *Context) replyPeer(command string, answer interface{ Append(buf []byte) []byte }, err error) {
	if err != nil {
		c.failPeer(command, err)
		return
	}
	c.Out.Buf = answer.Append(c.Out.Buf)
}

// failPeer writes an error of a request, or of the node.
func (c *Context) failPeer(command string, err error) {
	var reply csync.Error
	if errors.As(err, &reply) {
		c.Out.Error(string(reply))
		return
	}
	c.failIn(command, err)
}
