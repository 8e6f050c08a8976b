package history

import (
	"testing"

	"atomiccounter/tlv"
)

// Hashes are stored and sent, so the same secret and batch give the same one for ever.
func TestSecret(t *testing.T) {
	s := Secret{1, 2}
	b := tlv.Batch{Replica: 3, Stamp: 4, Life: 5}
	b.Hash = s.Hash(&b, []byte("content"))
	if want := tlv.Hash(0xd7aea61331171b0b); b.Hash != want {
		t.Errorf("Hash = %#x; want %#x", b.Hash, want)
	}
	if !s.Proves(b.Entry()) {
		t.Errorf("the secret does not prove its own hash")
	}
	if other := (Secret{1, 3}); other.Proves(b.Entry()) {
		t.Errorf("another secret proves it")
	}
	later := b.Entry()
	if later.Stamp++; s.Proves(later) {
		t.Errorf("the hash proves another stamp")
	}
	if got, want := s.TailID(&Tail{Life: 5, After: 4}), tlv.ReplicaID(0xc3eb2485e65d0562); got != want {
		t.Errorf("TailID = %#x; want %#x", got, want)
	}
}
