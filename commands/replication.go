package commands

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"atomiccounter/commands/resp"
	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// Replication is the node that replicates the store (package replica). Its methods may wait for a flush, so none is called
// while Pipe holds locks.
type Replication interface {
	// Sync, Snap and Digest answer a peer. An engine.PeerError is a reply as it is.
	Sync(remote string, r engine.SyncRequest) (engine.SyncAnswer, error)
	Snap(remote string, r engine.SnapRequest) (engine.SnapAnswer, error)
	Digest(remote string, r engine.DigestRequest) (engine.DigestAnswer, error)

	AddPeer(addr string) (bool, error)
	DelPeer(addr string) (bool, error)
	Peers() []engine.PeerStatus
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

// syncVersion is that of the protocol. Of a request of another one nothing else is read: the node refuses it.
const syncVersion = 4

// syncCall is a CSYNC as parsed.
type syncCall struct {
	engine.SyncRequest
	until time.Time // to wait for something to answer with
}

// cSync answers a peer with the batches that it lacks: as soon as there are any, or with none when its time is over.
func cSync(c *Context, args [][]byte) {
	call, ok := c.parseSync(args)
	if ok {
		c.apart(func() { c.sync(&call, false) })
	}
}

func (c *Context) sync(call *syncCall, expired bool) {
	node, ok := c.node()
	if !ok {
		return
	}
	news := c.Server.Engine.News()
	a, err := node.Sync(c.Client.Addr, call.SyncRequest)
	switch {
	case err != nil:
		c.failPeer("CSYNC", err)
	case len(a.Batches) == 0 && !a.NeedState && !expired && time.Now().Before(call.until):
		c.wait(news, call.until, func(expired bool) { c.sync(call, expired) })
	default:
		writeSyncAnswer(&c.Out, &a)
	}
}

func writeSyncAnswer(r *resp.Reply, a *engine.SyncAnswer) {
	size := 1 << 10
	for _, b := range a.Batches {
		size += len(b) + 32
	}
	r.Buf = slices.Grow(r.Buf, size)
	status := "ok"
	if a.NeedState {
		status = "state"
	}
	r.Array(12)
	r.Int(syncVersion)
	r.BulkString(hexID(uint64(a.ID)))
	r.BulkString(hexID(a.Life))
	r.Int(a.Clock)
	r.Bulk(tlv.AppendVector(nil, a.Vector))
	r.Array(len(a.Former))
	for _, id := range a.Former {
		r.BulkString(hexID(uint64(id)))
	}
	r.Array(len(a.Cluster.Names))
	for _, name := range a.Cluster.Names {
		r.BulkString(hexID(uint64(name)))
	}
	r.Int(oneIf(a.Cluster.Provisional))
	r.BulkString(status)
	r.Int(a.Left)
	r.Int(a.LeftKeys)
	r.Array(len(a.Batches))
	for _, b := range a.Batches {
		r.Bulk(b)
	}
}

// cSnap answers a peer with a page of a snapshot.
func cSnap(c *Context, args [][]byte) {
	call, ok := c.parseSnap(args)
	if !ok {
		return
	}
	c.apart(func() {
		node, ok := c.node()
		if !ok {
			return
		}
		a, err := node.Snap(c.Client.Addr, call)
		if err != nil {
			c.failPeer("CSNAP", err)
			return
		}
		writeSnapAnswer(&c.Out, &a)
	})
}

func writeSnapAnswer(r *resp.Reply, a *engine.SnapAnswer) {
	r.Buf = slices.Grow(r.Buf, len(a.Page)+len(a.Next)+1<<10)
	r.Array(8)
	r.Int(syncVersion)
	r.BulkString(hexID(uint64(a.ID)))
	r.BulkString(a.Snapshot)
	r.Bulk(tlv.AppendVector(nil, a.Vector))
	r.Int(a.Keys)
	r.Int(a.Done)
	r.Bulk(a.Next)
	r.Bulk(a.Page)
}

// cDigest answers a peer that compares what the two stores show of keys.
func cDigest(c *Context, args [][]byte) {
	p := c.parsePeer(args, 5)
	r := engine.DigestRequest{Version: p.version}
	if p.known() {
		r.ID, r.Life = p.replica(args[2]), p.hex("life", args[3])
		p.speaksFor(r.ID)
		for _, key := range args[4:] {
			r.Keys = append(r.Keys, string(key))
		}
	}
	if !p.ok {
		return
	}
	c.apart(func() {
		node, ok := c.node()
		if !ok {
			return
		}
		a, err := node.Digest(c.Client.Addr, r)
		if err != nil {
			c.failPeer("CDIGEST", err)
			return
		}
		var sums []byte
		for _, sum := range a.Sums {
			sums = binary.LittleEndian.AppendUint64(sums, sum)
		}
		c.Out.Array(4)
		c.Out.Int(syncVersion)
		c.Out.BulkString(hexID(uint64(a.ID)))
		c.Out.Bulk(tlv.AppendVector(nil, a.Vector))
		c.Out.Bulk(sums)
	})
}

// failPeer writes an error of the node.
func (c *Context) failPeer(command string, err error) {
	var reply engine.PeerError
	if errors.As(err, &reply) {
		c.Out.Error(string(reply))
		return
	}
	c.failIn(command, err)
}

func (c *Context) parseSync(args [][]byte) (call syncCall, ok bool) {
	p := c.parsePeer(args, 5)
	call.Version = p.version
	if !p.known() {
		return call, p.ok
	}
	call.ID = p.replica(args[2])
	p.speaksFor(call.ID)
	call.Life, call.Vector = p.hex("life", args[3]), p.vector(args[4])
	for options := args[5:]; len(options) > 0 && p.ok; {
		switch name := options[0]; {
		case same(name, "block") && len(options) > 1:
			if ms := p.count("BLOCK", options[1]); ms > 0 {
				call.until = deadline(ms)
			}
		case same(name, "bytes") && len(options) > 1:
			call.Bytes = p.count("BYTES", options[1])
		case same(name, "port") && len(options) > 1:
			call.Port = min(p.count("PORT", options[1]), math.MaxUint16)
		case same(name, "except") && len(options) > 1:
			call.Except = append(call.Except, p.replica(options[1]))
		case same(name, "former") && len(options) > 1:
			call.Former = append(call.Former, p.replica(options[1]))
		default:
			p.syntaxError()
			return call, false
		}
		options = options[2:]
	}
	return call, p.ok
}

func (c *Context) parseSnap(args [][]byte) (call engine.SnapRequest, ok bool) {
	p := c.parsePeer(args, 4)
	call.Version = p.version
	if !p.known() {
		return call, p.ok
	}
	call.ID, call.Life = p.replica(args[2]), p.hex("life", args[3])
	p.speaksFor(call.ID)
	for options := args[4:]; len(options) > 0 && p.ok; {
		switch name := options[0]; {
		case same(name, "resume") && len(options) > 2:
			call.Snapshot, call.Cursor = string(options[1]), slices.Clone(options[2])
			options = options[1:]
		case same(name, "bytes") && len(options) > 1:
			call.Bytes = p.count("BYTES", options[1])
		default:
			p.syntaxError()
			return call, false
		}
		options = options[2:]
	}
	return call, p.ok
}

// peerParser reads what a peer says of itself. After the first argument that is wrong, whose reply is written, ok is false.
type peerParser struct {
	c       *Context
	command string
	version int64
	ok      bool
}

// parsePeer reads the version. A request of the known one has at least so many arguments.
func (c *Context) parsePeer(args [][]byte, least int) *peerParser {
	p := &peerParser{c: c, command: string(upper(args[0])), ok: true}
	p.version = p.count("protocol version", args[1])
	if p.known() && len(args) < least {
		c.wrongArity(c.table.lookup(args[0]))
		p.ok = false
	}
	return p
}

// known says that there is more to read.
func (p *peerParser) known() bool { return p.ok && p.version == syncVersion }

func (p *peerParser) fail(format string, args ...any) {
	if p.ok {
		p.c.Out.Error("ERR " + p.command + ": " + fmt.Sprintf(format, args...))
	}
	p.ok = false
}

func (p *peerParser) syntaxError() {
	if p.ok {
		p.c.syntaxError()
	}
	p.ok = false
}

func (p *peerParser) count(what string, arg []byte) int64 {
	n, ok := ParseInt(arg)
	if !ok || n < 0 {
		p.fail("%s '%s' is not a number", what, beginning(arg, shown))
	}
	return n
}

func (p *peerParser) hex(what string, arg []byte) uint64 {
	n, ok := parseHexID(arg)
	if !ok {
		p.fail("%s '%s' is not 16 hexadecimal digits", what, beginning(arg, shown))
	}
	return n
}

func (p *peerParser) replica(arg []byte) tlv.ReplicaID {
	return tlv.ReplicaID(p.hex("replica ID", arg))
}

func (p *peerParser) vector(arg []byte) tlv.Vector {
	v, err := tlv.ParseVector(arg)
	if err != nil {
		p.fail("%v", err)
	}
	return v
}

// hexID is a replica ID or a life as it is written everywhere.
func hexID(n uint64) string { return fmt.Sprintf("%016x", n) }

func parseHexID(b []byte) (uint64, bool) {
	if len(b) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 16, 64)
	return n, err == nil
}
