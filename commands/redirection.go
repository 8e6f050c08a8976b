package commands

import "atomiccounter/commands/resp"

// invalidationChannel is where a client in RESP2 is told for another.
const invalidationChannel = "__redis__:invalidate"

// redirection is where a client has the invalidations of its keys go (CLIENT TRACKING … REDIRECT).
type redirection struct {
	target   *Client
	channels *channels
}

// push tells the target. In RESP2 it can be told only while it listens to any channel: channels.mu keeps it from ending that
// meanwhile. False: its connection has ended.
func (r *redirection) push(m message) bool {
	r.channels.mu.Lock()
	defer r.channels.mu.Unlock()
	if r.target.gone.Load() {
		return false
	}
	if !r.target.listensToAny() {
		m.resp2 = nil
	}
	r.target.push(m.resp2, m.resp3, 0)
	return true
}

// redirectBroken tells a client in RESP3 that the one with an ID is not there to be told.
func redirectBroken(id int64) []byte {
	r := resp.Reply{Proto: 3}
	r.Push(2)
	r.BulkString("tracking-redir-broken")
	r.Int(id)
	return r.Buf
}
