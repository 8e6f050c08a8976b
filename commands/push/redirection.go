package push

import "atomiccounter/commands/resp"

// invalidationChannel is where a client in RESP2 is told for another.
const invalidationChannel = "__redis__:invalidate"

// Redirection is where a client has the invalidations of its keys go (CLIENT TRACKING … REDIRECT).
type Redirection struct {
	Target   *Receiver
	Channels *Channels
}

// send tells the target. In RESP2 it can be told only while it listens to any channel: Channels.mu keeps it from ending that
// meanwhile. False: its connection has ended.
func (r *Redirection) send(m Message) bool {
	r.Channels.mu.Lock()
	defer r.Channels.mu.Unlock()
	if r.Target.Gone.Load() {
		return false
	}
	if !r.Target.ListensToAny() {
		m.RESP2 = nil
	}
	r.Target.Send(m, 0)
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
