package push

import (
	"strings"
	"testing"
)

// counted is a receiver, and how many bytes wait for it.
func counted() (*Receiver, *int64) {
	var waiting int64
	return NewReceiver(func() bool { return false }, func(n int64) { waiting += n }, func() {}), &waiting
}

// TestReceiverSpeaksItsProtocol: what cannot be said in RESP2 is not sent, and nothing counts for it.
func TestReceiverSpeaksItsProtocol(t *testing.T) {
	r, waiting := counted()
	r.Send(Message{RESP3: []byte("three")}, 1)
	if r.HasMail() || *waiting != 0 {
		t.Errorf("a message of RESP3 alone: mail %v, %d bytes; want none in RESP2", r.HasMail(), *waiting)
	}
	r.Send(Message{RESP2: []byte("two")}, 2)
	if got, pos := r.TakeAll(3); string(got) != "two" || pos != 2 || *waiting != 3 {
		t.Errorf("TakeAll = %q, %d with %d bytes counted; want %q, 2, 3", got, pos, *waiting, "two")
	}
	r.Send(Message{RESP2: []byte("two"), RESP3: []byte("three")}, 3)
	if got, _ := r.Take(); string(got) != "three" {
		t.Errorf("Take in RESP3 = %q; want %q", got, "three")
	}
}

// TestReceiverTakesWholeMessages: pieces are of whole messages, about 64 KiB each, and all of them come.
func TestReceiverTakesWholeMessages(t *testing.T) {
	r, _ := counted()
	m := strings.Repeat("m", 1000)
	for range 200 {
		r.Send(Message{RESP2: []byte(m)}, 0)
	}
	total := 0
	for piece, _ := r.Take(); piece != nil; piece, _ = r.Take() {
		if len(piece)%len(m) != 0 || len(piece) > pieceSize {
			t.Errorf("Take gives %d bytes; want whole messages, at most %d bytes", len(piece), pieceSize)
		}
		total += len(piece)
	}
	if total != 200*len(m) || r.HasMail() {
		t.Errorf("took %d bytes, mail %v; want %d, false", total, r.HasMail(), 200*len(m))
	}
}

// TestChannelsBoundNames: a client listens to no more than its names may take, and what it leaves is free again.
func TestChannelsBoundNames(t *testing.T) {
	var ch Channels
	r, _ := counted()
	if n, ok := ch.Add(r, Plain, "a", nameSize("a")); n != nameSize("a") || !ok {
		t.Errorf("Add(a) = %d, %v; want %d, true", n, ok, nameSize("a"))
	}
	if n, ok := ch.Add(r, Pattern, "b", nameSize("a")); n != nameSize("a") || ok {
		t.Errorf("Add(b) = %d, %v; want %d, false", n, ok, nameSize("a"))
	}
	if n := ch.Remove(r, Plain, "a"); n != 0 || r.ListensToAny() {
		t.Errorf("Remove(a) = %d, listens %v; want 0, false", n, r.ListensToAny())
	}
}
