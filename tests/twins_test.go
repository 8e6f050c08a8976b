package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"atomiccounter/tests/process"
)

// twins are the same connections to two servers, redis-server first.
type twins struct {
	servers  [2]*process.Server
	password string
	conns    [clients][2]*conn
	queues   [clients]queue
	sent     int // numbers what ends a burst
}

// mismatch is where the two differ.
type mismatch struct {
	client      int
	args        []string
	redis, ours string
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("%d> %s\n  redis-server: %s\n  this server:  %s", m.client, quote(m.args), m.redis, m.ours)
}

// run plays steps against both servers from an empty state; the error is where they first differ, or a *mismatch about a
// server that does not answer.
func (w *twins) run(steps []step) error {
	if err := w.reset(); err != nil {
		return err
	}
	defer w.close()
	for _, s := range steps {
		if err := w.play(s); err != nil {
			return err
		}
	}
	return nil
}

func (w *twins) reset() error {
	w.queues = [clients]queue{}
	for i, s := range w.servers {
		c, err := dial(s.Addr)
		if err != nil {
			return err
		}
		b := appendCommand(nil, "FLUSHALL")
		if w.password != "" {
			b = append(appendCommand(nil, "AUTH", w.password), b...)
		}
		b = append(b, appendCommand(nil, "CONFIG", "SET", "slowlog-log-slower-than", "-1")...) // what is slow depends on the machine
		b = append(b, appendCommand(nil, "QUIT")...)
		if err := c.send(b); err != nil {
			return err
		}
		if out, err := io.ReadAll(c.r); err != nil || bytes.ContainsRune(out, '-') {
			return fmt.Errorf("%s: FLUSHALL = %q, %v; want OK", w.servers[i].Program.Name, out, err)
		}
		c.Close() // the server has closed it
		for client := range w.conns {
			if err := w.redial(client, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *twins) redial(client, server int) (err error) {
	w.conns[client][server], err = dial(w.servers[server].Addr)
	return err
}

func (w *twins) close() {
	for _, pair := range w.conns {
		for _, c := range pair {
			if c != nil {
				c.Close() // nothing is under way that could fail
			}
		}
	}
}

// play sends a step to both and compares. What needs more than its own reply to compare stands alone.
func (w *twins) play(s step) error {
	var burst [][]string
	for _, args := range s.commands {
		args = resolve(args, time.Now())
		if !w.alone(args) {
			burst = append(burst, args)
			continue
		}
		if err := w.exchange(s.client, burst, s.inline); err != nil {
			return err
		}
		burst = burst[:0]
		if err := w.exchangeAlone(s.client, args); err != nil {
			return err
		}
	}
	if err := w.exchange(s.client, burst, s.inline); err != nil {
		return err
	}
	if s.lapse {
		passed := time.Now().Add((lapseTime + 1) * time.Millisecond)
		for !time.Now().After(passed) {
			time.Sleep(time.Millisecond) // the servers read the same clock
		}
	}
	return nil
}

func (w *twins) alone(args []string) bool {
	f, _ := formOf(args)
	// Redis closes a client that RESET leaves unauthenticated with more than 1 KiB still to be sent.
	return f.asks || designed(args) != nil || oneOf(args[0], "quit") || w.password != "" && oneOf(args[0], "reset")
}

func (w *twins) exchangeAlone(client int, args []string) error {
	if oneOf(args[0], "quit") {
		return w.quit(client, args)
	}
	redis, ours, err := w.both(client, [][]string{args}, false)
	if err != nil {
		return err
	}
	if len(redis) != 1 || len(ours) != 1 {
		return &mismatch{client, args, fmt.Sprint(redis), fmt.Sprint(ours)}
	}
	d := designed(args)
	if d == nil || sameBytes(redis[0], ours[0]) {
		return w.compare(client, args, redis[0], ours[0])
	}
	if !d.accept(redis[0], ours[0]) {
		return &mismatch{client, args, redis[0].String(), ours[0].String()}
	}
	if d.repair == nil {
		return nil
	}
	if _, _, err = w.both(client, d.repair(args), false); err != nil {
		return err
	}
	return w.unwatch()
}

// unwatch makes what the connections watch equal again.
func (w *twins) unwatch() error {
	for client := range w.conns {
		if _, _, err := w.both(client, [][]string{{"UNWATCH"}}, false); err != nil {
			return err
		}
	}
	return nil
}

// quit expects the end of the connection, and makes a new one.
func (w *twins) quit(client int, args []string) error {
	var out [2]string
	for i, c := range w.conns[client] {
		if err := c.send(appendCommand(nil, args...)); err != nil {
			return err
		}
		b, err := io.ReadAll(c.r)
		out[i] = fmt.Sprintf("%q, then %v", b, err)
		c.Close() // the server has closed it
		if err := w.redial(client, i); err != nil {
			return err
		}
	}
	if out[0] != out[1] {
		return &mismatch{client, args, out[0], out[1]}
	}
	return nil
}

func (w *twins) exchange(client int, burst [][]string, inline bool) error {
	if len(burst) == 0 {
		return nil
	}
	redis, ours, err := w.both(client, burst, inline)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(burst, setsReplies) || len(redis) != len(burst) || len(ours) != len(burst) {
		return w.compareCut(client, burst, redis, ours)
	}
	for i, args := range burst {
		if err := w.compare(client, args, redis[i], ours[i]); err != nil {
			return err
		}
	}
	return nil
}

// compareCut compares a burst in which CLIENT REPLY may have left replies out: nobody can tell which is whose, not even if
// they are as many as the commands, for encode adds one.
func (w *twins) compareCut(client int, burst [][]string, redis, ours []reply) error {
	same := len(redis) == len(ours)
	for i := 0; same && i < len(redis); i++ {
		same = sameBytes(redis[i], ours[i]) || sameShape(nil, 0, nil, redis[i], ours[i]) && !redis[i].isError()
	}
	if same {
		return nil
	}
	var lines []string
	for _, args := range burst {
		lines = append(lines, quote(args))
	}
	return &mismatch{client, []string{strings.Join(lines, "; ")}, fmt.Sprint(redis), fmt.Sprint(ours)}
}

func (w *twins) compare(client int, args []string, redis, ours reply) error {
	queued := w.queues[client]
	w.queues[client].see(args, redis)
	if sameBytes(redis, ours) {
		return nil
	}
	if oneOf(args[0], "exec") {
		return w.compareExec(client, queued, redis, ours)
	}
	f, ok := formOf(args)
	if ok && !redis.isError() && !ours.isError() && f.equal(w, client, args, redis, ours) {
		return nil
	}
	return &mismatch{client, args, redis.String(), ours.String()}
}

// both sends commands to both servers and collects their replies, up to that of a command which no server has: unlike
// ECHO it is answered before AUTH, too.
func (w *twins) both(client int, commands [][]string, inline bool) (redis, ours []reply, err error) {
	w.sent++
	end := fmt.Sprintf("end-%d", w.sent)
	b := appendCommand(encode(commands, inline), end)
	for _, c := range w.conns[client] {
		if err := c.send(b); err != nil {
			return nil, nil, err
		}
	}
	redis, errR := w.conns[client][0].readUntil(end)
	ours, errO := w.conns[client][1].readUntil(end)
	if errR != nil || errO != nil {
		last := commands[min(len(redis), len(ours), len(commands)-1)]
		return nil, nil, &mismatch{client, last, fmt.Sprint(redis, errR), fmt.Sprint(ours, errO)}
	}
	return redis, ours, nil
}

// encode also turns replies on again if a command may have turned them off.
func encode(commands [][]string, inline bool) []byte {
	var b []byte
	off := false
	for _, args := range commands {
		off = off || setsReplies(args)
		if inline {
			b = append(append(b, strings.Join(args, " ")...), "\r\n"...)
		} else {
			b = appendCommand(b, args...)
		}
	}
	if off {
		b = appendCommand(b, "CLIENT", "REPLY", "ON")
	}
	return b
}

// setsReplies: it may turn replies off or on.
func setsReplies(args []string) bool {
	return len(args) > 1 && oneOf(args[0], "client") && oneOf(args[1], "reply")
}

func (c *conn) readUntil(end string) (all []reply, err error) {
	for {
		r, err := c.read()
		if err != nil {
			return all, err
		}
		if r.isError() && strings.Contains(r.text, end) {
			return all, nil
		}
		all = append(all, r)
		if len(all) > 10000 {
			return nil, errors.New("replies without end")
		}
	}
}
