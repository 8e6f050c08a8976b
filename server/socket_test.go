package server

import (
	"strings"
	"testing"
)

// What is left of the input stays, in a buffer of the usual size if it fits, and in none if it is nothing.
func TestSocketKeep(t *testing.T) {
	for _, test := range []struct {
		buffer, received, consumed int
		wantCap                    int
	}{
		{bufferSize, 100, 100, 0},
		{bufferSize, 100, 60, bufferSize},
		{bufferSize, 100, 0, bufferSize},
		{8 * bufferSize, 7 * bufferSize, 7*bufferSize - 10, bufferSize},
		{8 * bufferSize, 7 * bufferSize, 7 * bufferSize, 0},
		{8 * bufferSize, 7 * bufferSize, 10, 8 * bufferSize},
	} {
		s := &socket{buffers: new(bufferPool), in: make([]byte, test.received, test.buffer)}
		want := strings.Repeat("r", test.received-test.consumed)
		copy(s.in[test.consumed:], want)
		s.keep(s.in[test.consumed:])
		if string(s.in) != want || cap(s.in) != test.wantCap {
			t.Errorf("keep of %d bytes in %d: %d bytes in %d; want %d in %d", len(want), test.buffer, len(s.in), cap(s.in), len(want), test.wantCap)
		}
	}
}

func TestSocketGrow(t *testing.T) {
	s := &socket{buffers: new(bufferPool), in: []byte(strings.Repeat("r", bufferSize))}
	s.in = s.in[:bufferSize:bufferSize]
	s.grow()
	if len(s.in) != bufferSize || cap(s.in) != 2*bufferSize || s.in[bufferSize-1] != 'r' {
		t.Errorf("grow: %d bytes in %d; want the same in %d", len(s.in), cap(s.in), 2*bufferSize)
	}
}

// Only buffers of the usual size are lent again.
func TestBufferPool(t *testing.T) {
	var p bufferPool
	p.put(make([]byte, 10))
	p.put(make([]byte, 2*bufferSize))
	for range 3 {
		if b := p.get(); len(b) != 0 || cap(b) != bufferSize {
			t.Errorf("get = %d bytes in %d; want 0 in %d", len(b), cap(b), bufferSize)
		}
	}
}
