package commands

import "time"

// Wait is a command that has no reply yet: its handler has asked for this instead of writing one. The round ends there;
// the connection sends the replies before it, waits with no lock held until News can be received from or Until
// has come, and then has the session go on (Context.Resume). The command either replies then, or waits on.
//
// A command that cannot wait, as in a transaction or a script, resumes at once with Expired set: the command then replies as it does at
// the end of its time.
type Wait struct {
	News    <-chan struct{} // nil: there will be none
	Until   time.Time       // zero: never
	Expired bool            // Until has come; set by the connection

	refused bool               // by another client: CLIENT UNBLOCK … ERROR
	again   func(expired bool) // keeps nothing of the arguments, which are in a buffer that is gone by then
	works   bool               // rather than that it waits for others: all its time is the command's
	note    func(replyStart)   // takes note of a command that works, at its end
}

// Over says whether at a time the command has waited long enough.
func (w *Wait) Over(now time.Time) bool { return !w.Until.IsZero() && !w.Until.After(now) }

// wait has the command go on with again when there is news, or the time has come.
func (c *Context) wait(news <-chan struct{}, until time.Time, again func(expired bool)) {
	c.Wait = &Wait{News: news, Until: until, again: again}
}

// apart runs what needs what is written so far to be journaled: between two rounds, with no lock held.
func (c *Context) apart(run func()) {
	c.Wait = &Wait{Until: time.Unix(0, 0), again: func(bool) { run() }}
}

// work is apart for what may take its time.
func (c *Context) work(run func()) {
	c.apart(run)
	c.Wait.works = true
}

// whenSettled runs what waits for the store to be sure of its replica ID, as apart does. A moment after the start it may not
// be yet: to wait in the engine would hold up the end of the server. If there is no time for that, instead runs.
func (c *Context) whenSettled(until time.Time, run, instead func()) {
	c.wait(c.Server.Engine.Confirmed(), until, func(expired bool) {
		switch {
		case c.settled():
			run()
		case expired:
			instead()
		default:
			c.whenSettled(until, run, instead)
		}
	})
}

func (c *Context) settled() bool {
	select {
	case <-c.Server.Engine.Confirmed():
		return true
	default:
		return false
	}
}

// unsettled is the reply of a command that cannot wait.
func (c *Context) unsettled() {
	c.Out.Error("ERR this replica has just started, and its peers have not confirmed it yet: try again")
}

// Resume goes on with the command that waits. It has its one reply then, or waits again.
func (c *Context) Resume() {
	w := c.Wait
	c.Wait = nil
	before := c.start()
	if w.refused {
		c.Out.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
		c.countError(before.at)
	} else {
		w.again(w.Expired)
	}
	switch {
	case w.note == nil:
	case c.Wait != nil:
		c.Wait.note = w.note
	default:
		w.note(before)
	}
	c.mute(before.at)
	if c.early != nil {
		c.sendEarly(before.at)
	}
}

// deadline is when a command that waits for ms milliseconds gives up; 0: never.
func deadline(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(min(ms, maxWaitMillis)) * time.Millisecond)
}

// maxWaitMillis is as good as never, and a Duration holds it.
const maxWaitMillis = 100 * 365 * 24 * 3600 * 1000
