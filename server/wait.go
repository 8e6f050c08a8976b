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
// meanwhile, which is kept for later: only who reads notices that the client has gone. An error ends the conversation.
func (c *conn) wait(w *commands.Wait) error {
	select {
	case <-w.News:
		return nil
	default:
	}
	if w.Expired = w.Over(time.Now()); w.Expired {
		return nil
	}
	c.client.Blocked.Store(true)
	defer func() {
		c.client.Active.Store(time.Now().UnixNano()) // the wait was no idleness
		c.client.Blocked.Store(false)
	}()
	if err := c.sock.SetReadDeadline(w.Until); err != nil {
		return err
	}
	if c.ending.Load() { // perhaps before the deadline was set
		return os.ErrDeadlineExceeded
	}
	err := c.interruptedBy(w.News, c.readAhead)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err := c.sock.SetReadDeadline(time.Time{}); err != nil || c.ending.Load() {
		return errors.Join(os.ErrDeadlineExceeded, err)
	}
	w.Expired = w.Over(time.Now())
	return nil
}

// interruptedBy runs a read that ends early when there is news.
func (c *conn) interruptedBy(news <-chan struct{}, read func() error) error {
	over, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		select {
		case <-news:
			stopped <- c.sock.interrupt()
		case <-over:
			stopped <- nil
		}
	}()
	err := read()
	close(over)
	if e := <-stopped; e != nil {
		return e
	}
	return err
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
