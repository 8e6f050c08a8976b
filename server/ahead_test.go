package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Commands that are read ahead are those that the scanner reads; those that it leaves to the scanner are long, incomplete or wrong.
func TestAheadReadsAsTheScanner(t *testing.T) {
	for _, test := range []struct {
		in   string
		want int // commands
		keys string
	}{
		{"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n", 1, `["a"]`},
		{"*1\r\n$4\r\nPING\r\n", 1, `[]`},
		{"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\n5\r\n*1\r\n", 1, `[""]`},
		{"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n", 3, `["a" "b"]`},
		{"*2\r\n$4\r\nINCR\r\n$1\r\na\r", 0, `[]`}, {"*2\r\n$4\r\nINCR\r\n$100\r\n", 0, `[]`}, {"*2\r\n$4\r\nINCR", 0, `[]`},
		{"*10\r\n", 0, `[]`}, {"*0\r\n", 0, `[]`}, {"*11\r\n$1\r\na\r\n", 0, `[]`}, {"*2\r\n$-1\r\n", 0, `[]`}, {"*2\r\n$01\r\n", 0, `[]`},
		{"PING\r\n", 0, `[]`}, {"*", 0, `[]`}, {"", 0, `[]`},
	} {
		var a ahead
		var s scanner
		in, n := []byte(test.in), 0
		a.read(in)
		for c := a.take(); c != nil; c = a.take() {
			length, err := s.next(in, open)
			if got, want := fmt.Sprintf("%q", c.args), fmt.Sprintf("%q", s.args); got != want || c.bytes != length || err != nil {
				t.Errorf("read(%q) = %s, %d bytes; the scanner has %s, %d, %v", test.in, got, c.bytes, want, length, err)
			}
			in = in[c.bytes:]
			n++
		}
		if keys := fmt.Sprintf("%q", a.keys); n != test.want || keys != test.keys {
			t.Errorf("read(%q) = %d commands, keys %s; want %d, %s", test.in, n, keys, test.want, test.keys)
		}
	}
}

// A round that is over holds nothing of its input.
func TestAheadLetsGo(t *testing.T) {
	var a ahead
	a.read(incrRound(64))
	a.take()
	a.drop()
	if a.take() != nil {
		t.Error("take() after drop() gives a command; want none")
	}
	for i, c := range a.commands {
		if c.args != nil {
			t.Fatalf("command %d holds %q after drop(); want nothing", i, c.args)
		}
	}
	for _, list := range [][][]byte{a.args[:cap(a.args)], a.keys[:cap(a.keys)]} {
		for _, arg := range list {
			if arg != nil {
				t.Fatalf("%q is held after drop(); want nothing", arg)
			}
		}
	}
}

// What a client costs for good does not grow with the arguments that it has sent: they are read in several turns.
func TestAheadIsSmall(t *testing.T) {
	var a ahead
	in := bytes.Repeat([]byte("*10\r\n$4\r\nMGET\r\n"+strings.Repeat("$1\r\na\r\n", 9)), 64)
	n := 0
	for a.read(in); ; a.read(in) {
		c := a.take()
		if c == nil {
			break
		}
		for ; c != nil; c = a.take() {
			in = in[c.bytes:]
			n++
		}
	}
	a.drop()
	if held := a.held(); n != 64 || len(in) != 0 || held > 3000 {
		t.Errorf("%d commands read, %d bytes left, %d held; want 64, 0, and at most 3000", n, len(in), held)
	}
}
