package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"atomiccounter/commands"
	"atomiccounter/engine"
)

// A connection that sits in a read gets its messages at once, however often.
func TestMessagesReachWhoIsIdle(t *testing.T) {
	for _, mode := range []engine.SyncMode{engine.EverySec, engine.Always} {
		r := serve(t, Options{}, with(openEngine(t, mode)))
		listener, publisher := r.dial(t), r.dial(t)
		listener.send("HELLO 3\r\nSUBSCRIBE news\r\n")
		for line := ""; line != "news\r\n"; {
			var err error
			if line, err = listener.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		listener.want(":1\r\n")
		for i := range 100 {
			publisher.send(fmt.Sprintf("INCR k\r\nPUBLISH news %03d\r\n", i))
			publisher.want(fmt.Sprintf(":%d\r\n:1\r\n", i+1))
			listener.want(fmt.Sprintf(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\n%03d\r\n", i))
			if i%10 == 0 {
				listener.send("PING\r\n")
				listener.want("+PONG\r\n")
			}
		}
	}
}

// Messages go out while a command of their reader waits, and the command still ends as it should.
func TestMessagesReachWhoWaits(t *testing.T) {
	r, n := serveNode(t, Options{})
	listener, publisher := r.dial(t), r.dial(t)
	listener.send("HELLO 3\r\nSUBSCRIBE news\r\nWAIT 1 0\r\n")
	r.awaitBlocked(t, 1)
	for i := range 10 {
		publisher.send(fmt.Sprintf("PUBLISH news %d\r\n", i))
		publisher.want(":1\r\n")
	}
	n.ack(1)
	await(t, "the end of the wait", func() bool { return r.shared.Clients.Blocked() == 0 })
	listener.send("QUIT\r\n")
	out, err := io.ReadAll(listener)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(out)[strings.Index(string(out), "subscribe"):]
	want := "subscribe\r\n$4\r\nnews\r\n:1\r\n"
	for i := range 10 {
		want += fmt.Sprintf(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n%d\r\n", i)
	}
	if want += ":1\r\n+OK\r\n"; rest != want {
		t.Errorf("the listener reads %q; want %q", rest, want)
	}
}

// Who does not read is disconnected; the publisher never waits for it.
func TestSlowListenerIsDisconnected(t *testing.T) {
	r := serve(t, Options{}, nil)
	publisher, listener := r.dial(t), r.dial(t)
	publisher.send("*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$26\r\nclient-output-buffer-limit\r\n$15\r\npubsub 1mb 0 0 \r\n")
	publisher.want("+OK\r\n")
	listener.send("SUBSCRIBE news\r\n")
	listener.want("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
	payload := strings.Repeat("x", 100<<10)
	for r.shared.Stats.CutOff.Load() == 0 {
		publisher.send("PUBLISH news " + "\"" + payload[:60<<10] + "\"\r\n")
		if line, err := publisher.ReadString('\n'); err != nil || line != ":1\r\n" && line != ":0\r\n" {
			t.Fatalf("PUBLISH = %q, %v; want 1", line, err)
		}
	}
	await(t, "the end of the listener", func() bool { return r.shared.Clients.Count() == 1 })
}

func TestPauseAndUnblock(t *testing.T) {
	r, _ := serveNode(t, Options{})
	admin, client := r.dial(t), r.dial(t)
	client.send("CLIENT ID\r\n")
	id, err := client.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	id = strings.Trim(id, ":\r\n")
	for how, reply := range map[string]string{"": ":0\r\n", "TIMEOUT": ":0\r\n", "ERROR": "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"} {
		client.send("WAIT 1 0\r\nPING\r\n")
		r.awaitBlocked(t, 1)
		admin.send("CLIENT UNBLOCK " + id + " " + how + "\r\n")
		admin.want(":1\r\n")
		client.want(reply + "+PONG\r\n")
	}
	admin.send("CLIENT UNBLOCK " + id + "\r\n")
	admin.want(":0\r\n")

	admin.send("CLIENT PAUSE 100000 WRITE\r\n")
	admin.want("+OK\r\n")
	client.send("GET k\r\nSET k 5\r\nGET k\r\n")
	client.want("$-1\r\n")
	r.awaitBlocked(t, 1)
	admin.send("GET k\r\nCLIENT UNPAUSE\r\n")
	admin.want("$-1\r\n+OK\r\n")
	client.want("+OK\r\n$1\r\n5\r\n")
	admin.send("CLIENT PAUSE 30\r\n")
	admin.want("+OK\r\n")
	client.send("GET k\r\n")
	client.want("$1\r\n5\r\n") // when it is over
}

// Listeners are not idle.
func TestListenersAreNotReaped(t *testing.T) {
	r := serve(t, Options{}, nil)
	p := r.dial(t)
	p.send("SUBSCRIBE a\r\n")
	p.want("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
	r.shared.Clients.Each(func(c *commands.Client) {
		if !c.Waits() {
			t.Errorf("a client that listens counts as idle")
		}
	})
}

// Many publish at once, in both modes: every listener gets every message, those of one publisher in their order.
func TestMessagesOfMany(t *testing.T) {
	const publishers, listeners, messages = 4, 4, 300
	for _, mode := range []engine.SyncMode{engine.EverySec, engine.Always} {
		r := serve(t, Options{}, with(openEngine(t, mode)))
		var all []*peer
		for range listeners {
			p := r.dial(t)
			p.send("SUBSCRIBE news\r\n")
			p.want("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
			all = append(all, p)
		}
		var running sync.WaitGroup
		for i := range publishers {
			running.Go(func() {
				p := r.dial(t)
				for n := range messages {
					fmt.Fprintf(p.Conn, "INCR k\r\nPUBLISH news %d:%04d\r\n", i, n)
				}
				p.send("QUIT\r\n")
				if _, err := io.ReadAll(p.Reader); err != nil {
					t.Error(err)
				}
			})
		}
		for _, p := range all {
			running.Go(func() {
				var next [publishers]int
				for range publishers * messages {
					head := make([]byte, len("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$6\r\n0:0000\r\n"))
					if _, err := io.ReadFull(p.Reader, head); err != nil {
						t.Errorf("read = %v after %v", err, next)
						return
					}
					var i, n int
					if _, err := fmt.Sscanf(string(head[len(head)-8:]), "%d:%d", &i, &n); err != nil || n != next[i] {
						t.Errorf("message %q, %v; want number %d of publisher %d", head, err, next[i], i)
						return
					}
					next[i]++
				}
			})
		}
		running.Wait()
	}
}

// Under TLS a read that a message interrupts goes on afterwards, in the middle of a record too.
func TestMessagesOverTLS(t *testing.T) {
	a := newAuthority(t)
	r, addr := serveTLS(t, Options{}, a, tls.NoClientCert, nil)
	listener, publisher := a.dial(t, addr), r.dial(t)
	listener.send("SUBSCRIBE news\r\n")
	listener.want("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
	for i := range 200 {
		publisher.send(fmt.Sprintf("PUBLISH news %03d\r\n", i))
		publisher.want(":1\r\n")
		if i%3 == 0 {
			listener.send("PING\r\n")
		}
		listener.want(fmt.Sprintf("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\n%03d\r\n", i))
		if i%3 == 0 {
			listener.want("*2\r\n$4\r\npong\r\n$0\r\n\r\n")
		}
	}
}

// Who is woken all the time still reads what the client sends.
func TestWokenAllTheTime(t *testing.T) {
	a := newAuthority(t)
	r, addr := serveTLS(t, Options{}, a, tls.NoClientCert, nil)
	for _, dial := range []func() *peer{func() *peer { return r.dial(t) }, func() *peer { return a.dial(t, addr) }} {
		p := dial()
		p.send("PING\r\n")
		p.want("+PONG\r\n")
		var client *commands.Client
		r.shared.Clients.Each(func(c *commands.Client) { client = c })
		var stop atomic.Bool
		var waking sync.WaitGroup
		waking.Go(func() {
			for !stop.Load() {
				client.Wake()
			}
		})
		for range 20 {
			p.send("INCR k\r\nDEL k\r\n")
			p.want(":1\r\n:1\r\n")
		}
		stop.Store(true)
		waking.Wait()
		p.Close()
		await(t, "the end of the client", func() bool { return r.shared.Clients.Count() == 0 })
	}
}
