package server

import (
	"errors"
	"os"
	"time"

	"atomiccounter/commands"
)

// maxAhead bounds what is read of a client whose command waits, in bytes. Beyond that its end is noticed only after the wait.
const maxAhead = 64 << 10

// wait waits until the session's command can go on. No lock is held then, and no buffer but for what the client sends
// meanwhile, which is kept for later: only a read notices that the client has gone. What others send to the client goes
// out meanwhile. An error ends the conversation.
func (c *conn) wait(w *commands.Wait) error {
	select {
	case <-w.News:
		return nil
	default:
	}
	if w.Expired = w.Over(time.Now()); w.Expired {
		return nil
	}
	c.client.BeginWait()
	defer func() {
		c.client.Active.Store(time.Now().UnixNano()) // the wait was no idleness
		c.client.EndWait()
	}()
	for {
		if err := c.deliver(); err != nil {
			return err
		}
		if over, err := c.waitOnce(w); over || err != nil {
			return err
		}
	}
}

// waitOnce waits for news, for the end of the time, or to be woken.
func (c *conn) waitOnce(w *commands.Wait) (over bool, err error) {
	if err := c.sock.SetReadDeadline(w.Until); err != nil {
		return false, err
	}
	// Perhaps before the deadline was set.
	if c.ending.Load() {
		return false, os.ErrDeadlineExceeded
	}
	if !c.called.Load() {
		if over, err = c.interruptedBy(w.News, c.readAhead); !errors.Is(err, os.ErrDeadlineExceeded) {
			return false, err
		}
	} else {
		over, err = false, os.ErrDeadlineExceeded
	}
	if err := c.awake(err); err != nil {
		return false, err
	}
	c.called.Store(false)
	w.Expired = w.Over(time.Now())
	return over || w.Expired || w.Unblock(c.client), nil
}

// interruptedBy runs a read that ends early when there is news, and says whether there was.
func (c *conn) interruptedBy(news <-chan struct{}, read func() error) (came bool, err error) {
	over, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		select {
		case <-news:
			came = true
			stopped <- c.sock.interrupt()
		case <-over:
			stopped <- nil
		}
	}()
	err = read()
	close(over)
	if e := <-stopped; e != nil {
		return came, e
	}
	return came, err
}

// readAhead reads until the client goes or the read is interrupted.
func (c *conn) readAhead() error {
	for len(c.sock.in) < maxAhead {
		if err := c.sock.fill(); err != nil {
			return err
		}
	}
	return c.sock.idle()
}
