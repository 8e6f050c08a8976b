package commands

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"atomiccounter/commands/resp"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

// ParsePeer checks the address of a peer: host:port.
func ParsePeer(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsFunc(host, inNoName) {
		return "", fmt.Errorf("peer '%s' is not host:port", beginning([]byte(s), shown))
	}
	if n, ok := ParseInt([]byte(port)); !ok || n < 1 || n > 65535 {
		return "", fmt.Errorf("peer '%s' has no port from 1 to 65535", beginning([]byte(s), shown))
	}
	return s, nil
}

// inNoName is for what no host name has, and what would break a line of the log or of INFO.
func inNoName(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || r == ','
}

func cPeerAdd(c *Context, args [][]byte) { c.changePeers(args[2], Replication.AddPeer) }
func cPeerDel(c *Context, args [][]byte) { c.changePeers(args[2], Replication.DelPeer) }

func (c *Context) changePeers(arg []byte, change func(Replication, string) (bool, error)) {
	addr, err := ParsePeer(string(arg))
	if err != nil {
		c.fail(err)
		return
	}
	c.apart(func() {
		node, ok := c.node()
		if !ok {
			return
		}
		changed, err := change(node, addr)
		if err != nil {
			c.failPeer("CPEER", err)
			return
		}
		c.Out.Bool(changed)
	})
}

func cPeerList(c *Context, _ [][]byte) {
	node, ok := c.node()
	if !ok {
		return
	}
	peers, now := node.Peers(), time.Now()
	c.Out.Array(len(peers))
	for i := range peers {
		writePeer(&c.Out, &peers[i], now)
	}
}

// peer writes one peer as a map. What is a number is one.
func writePeer(r *resp.Reply, p *csync.PeerStatus, now time.Time) {
	fields := peerFields(p, now)
	r.Map(len(fields))
	for _, f := range fields {
		r.BulkString(f.name)
		switch v := f.value.(type) {
		case int64:
			r.Int(v)
		case string:
			r.BulkString(v)
		}
	}
}

// field is a name with an int64 or a string.
type field struct {
	name  string
	value any
}

// peerFields describes a peer to CPEER LIST and INFO. The error comes last: it is free text.
func peerFields(p *csync.PeerStatus, now time.Time) []field {
	id := ""
	if p.ID != 0 {
		id = csync.Hex(p.ID)
	}
	list := []field{
		{"addr", p.Addr}, {"id", id}, {"state", p.State}, {"state_ms", millisSince(p.Since, now)}, {"inbound", oneIf(p.Inbound)},
		{"lag_batches", p.LagBatches}, {"lag_keys", p.LagKeys}, {"lag_ms", p.LagMillis}, {"divergent_keys", p.Divergent},
		{"last_contact_ms", millisSince(p.LastContact, now)}, {"bytes_in", p.BytesIn}, {"bytes_out", p.BytesOut},
		{"transfers", p.Transfers}, {"errors", p.Errors}, {"clock_offset_ms", p.ClockOffsetMillis},
		{"acked_ms", p.AckedOwn.Millis()},
	}
	if p.TransferKeys > 0 {
		list = append(list, field{"transfer_keys", p.TransferKeys}, field{"transfer_done", p.TransferDone},
			field{"transfer_bytes", p.TransferBytes}, field{"transfer_keys_per_sec", p.TransferRate})
	}
	return append(list, field{"error", p.Error})
}

// millisSince is -1 for a time that never was.
func millisSince(t, now time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return max(now.Sub(t).Milliseconds(), 0)
}

// cForget drops what is cancelled of a replica that will not come back, and waits for its acknowledgements no more.
func cForget(c *Context, args [][]byte) {
	id, err := csync.ParseHex[tlv.ReplicaID](string(args[1]))
	if err != nil || id == 0 {
		c.Out.Error(fmt.Sprintf("ERR CFORGET: '%s' is not a replica ID of 16 hexadecimal digits", beginning(args[1], shown)))
		return
	}
	force := len(args) == 3 && same(args[2], "force") // although it seems to be there
	if len(args) > 2 && !force {
		c.syntaxError()
		return
	}
	c.whenSettled(time.Time{}, func() {
		node, ok := c.node()
		if !ok {
			return
		}
		keys, err := node.Forget(id, force)
		if err != nil {
			c.failIn("CFORGET", err)
			return
		}
		c.Out.Int(keys)
	}, c.unsettled)
}

// role answers as a master does, with the peers that pull from here as its replicas. The offsets are stamps.
func role(c *Context, _ [][]byte) {
	list := pullers(c.Server.peers())
	c.Out.Array(3)
	c.Out.BulkString("master")
	c.Out.Int(c.Server.offset())
	c.Out.Array(len(list))
	for i := range list {
		host, port := splitAddr(list[i].Addr)
		c.Out.Array(3)
		c.Out.BulkString(host)
		c.Out.BulkString(port)
		c.Out.BulkString(strconv.FormatInt(int64(list[i].AckedOwn), 10))
	}
}

// offset is up to where this replica has published, as Redis's replication offset.
func (s *Server) offset() int64 {
	if s.Loading() {
		return 0
	}
	return int64(s.Engine.Vector().Entry(s.Engine.ReplicaID()).Stamp)
}

func (s *Server) peers() []csync.PeerStatus {
	if s.Loading() || s.Replication == nil {
		return nil
	}
	return s.Replication.Peers()
}

// pullers are the peers that take this replica's data at present.
func pullers(peers []csync.PeerStatus) (list []csync.PeerStatus) {
	for _, p := range peers {
		if p.Pulls {
			list = append(list, p)
		}
	}
	return list
}

func splitAddr(addr string) (host, port string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, "0"
	}
	return host, port
}
