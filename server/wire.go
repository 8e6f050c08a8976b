package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// wire is a connection on which a write never waits: what the socket has no room for is queued, and sent by a goroutine that lives
// until it is. One goroutine at a time may write.
type wire struct {
	net.Conn
	raw     syscall.RawConn
	buffers *bufferPool
	queued  func(n int64) // is told of how many bytes more are queued, or fewer

	out      []byte // to be sent by tryWrite
	wrote    int
	writeErr error
	transmit func(fd uintptr) bool // a method value, made once so that no call allocates

	behind atomic.Bool // something is queued: only sendQueue writes to the socket

	mu    sync.Mutex
	empty *sync.Cond // behind has become false, or err is set
	queue [][]byte   // of the pool's buffers
	err   error      // why nothing is sent any more
}

func newWire(nc net.Conn, buffers *bufferPool, queued func(n int64)) (*wire, error) {
	raw, err := rawConn(nc)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: nc, raw: raw, buffers: buffers, queued: queued}
	w.empty = sync.NewCond(&w.mu)
	w.transmit = w.tryTransmit
	return w, nil
}

// Write does not keep b.
func (w *wire) Write(b []byte) (n int, err error) {
	if !w.behind.Load() {
		if n, err = w.tryWrite(b); err != nil || n == len(b) {
			return n, err
		}
	}
	if err := w.enqueue(b[n:]); err != nil {
		return n, err
	}
	return len(b), nil
}

// tryWrite sends what the socket has room for, and returns the number of bytes.
func (w *wire) tryWrite(b []byte) (int, error) {
	w.out = b
	err := w.raw.Write(w.transmit)
	w.out = nil
	if err != nil {
		return 0, err
	}
	return w.wrote, w.writeErr
}

func (w *wire) tryTransmit(fd uintptr) bool {
	w.wrote, w.writeErr = retry(sysWrite, int(fd), w.out)
	if errors.Is(w.writeErr, syscall.EAGAIN) {
		w.wrote, w.writeErr = 0, nil
	}
	return true
}

func (w *wire) enqueue(b []byte) error {
	w.queued(int64(len(b)))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	for len(b) > 0 {
		last := len(w.queue) - 1
		if last < 0 || len(w.queue[last]) == cap(w.queue[last]) {
			w.queue = append(w.queue, w.buffers.get())
			last++
		}
		room := w.queue[last]
		n := copy(room[len(room):cap(room)], b)
		w.queue[last], b = room[:len(room)+n], b[n:]
	}
	if !w.behind.Swap(true) {
		go w.sendQueue()
	}
	return nil
}

// atOnce is how many buffers are sent at once.
const atOnce = 16

// sendQueue sends what is queued, as the client takes it. After an error it disconnects: the connection's goroutine is blocked in a
// read, or will be, and finds out.
func (w *wire) sendQueue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 {
		some := w.queue[:min(len(w.queue), atOnce)]
		w.queue = w.queue[len(some):]
		w.mu.Unlock()
		err := w.sendSome(some)
		w.mu.Lock()
		if err != nil {
			w.queue, w.err = nil, errors.Join(err, shut(w.Conn))
			w.empty.Broadcast()
			return
		}
	}
	w.queue = nil
	w.behind.Store(false)
	w.empty.Broadcast()
}

func (w *wire) sendSome(some [][]byte) error {
	list := append(make(net.Buffers, 0, atOnce), some...)
	n, err := list.WriteTo(w.Conn)
	w.queued(-n)
	for _, b := range some {
		w.buffers.put(b)
	}
	return err
}

// flush waits until all is sent, or given up.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.behind.Load() && w.err == nil {
		w.empty.Wait()
	}
	return w.err
}

// shut closes a connection that may be closed already.
func shut(nc net.Conn) error {
	if err := nc.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
