package handshake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

const secret = "correct horse battery staple"

func transcript() Transcript {
	t := Transcript{Caller: Party{Replica: 0x0102030405060708, Life: 9}, Called: Party{Replica: 10, Life: 11}}
	for i := range Size {
		t.Caller.Nonce[i], t.Called.Nonce[i] = byte(i), byte(0x80+i)
	}
	return t
}

// TestProofIsAsSpecified: the format of the package comment, byte by byte.
func TestProofIsAsSpecified(t *testing.T) {
	text := hex.EncodeToString([]byte("atomiccounter peer handshake 1\n")) + `
		43                                                                 C
		0807060504030201 0900000000000000                                  caller
		000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f   its nonce
		0a00000000000000 0b00000000000000                                  called
		808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f   its nonce`
	digits := ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "   ")
		digits += strings.ReplaceAll(line, " ", "")
	}
	message, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(message)
	tr := transcript()
	if got := tr.ProveCaller(secret); !Equal(got, mac.Sum(nil)) {
		t.Errorf("ProveCaller = %x; want %x", got, mac.Sum(nil))
	}
}

// TestProofsDiffer: a proof is good for one handshake, one role and one secret.
func TestProofsDiffer(t *testing.T) {
	proofs := map[string]string{}
	note := func(name string, proof []byte) {
		if other, seen := proofs[string(proof)]; seen || len(proof) != Size {
			t.Errorf("%s: the proof has %d bytes, and is that of %q", name, len(proof), other)
		}
		proofs[string(proof)] = name
	}
	original := transcript()
	note("the called", original.ProveCalled(secret))
	note("the caller", original.ProveCaller(secret))
	note("another secret", original.ProveCaller(secret+" "))
	for name, change := range map[string]func(*Transcript){
		"another caller":           func(t *Transcript) { t.Caller.Replica++ },
		"another life of it":       func(t *Transcript) { t.Caller.Life++ },
		"another nonce of it":      func(t *Transcript) { t.Caller.Nonce[31]++ },
		"another called":           func(t *Transcript) { t.Called.Replica++ },
		"another life of that":     func(t *Transcript) { t.Called.Life++ },
		"another nonce of that":    func(t *Transcript) { t.Called.Nonce[0]++ },
		"TLS":                      func(t *Transcript) { t.Channel = make([]byte, Size) },
		"another TLS":              func(t *Transcript) { t.Channel = slices.Repeat([]byte{1}, Size) },
		"the two have swapped":     func(t *Transcript) { t.Caller, t.Called = t.Called, t.Caller },
		"one talks to itself":      func(t *Transcript) { t.Called = t.Caller },
		"one answers as the other": func(t *Transcript) { t.Caller = t.Called },
	} {
		tr := transcript()
		change(&tr)
		note(name, tr.ProveCaller(secret))
		note(name+", the called", tr.ProveCalled(secret))
	}
}
