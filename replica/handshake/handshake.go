// Package handshake has two replicas prove to each other that they know one secret, which neither of them sends.
//
//	caller → called   its ID and life, a nonce           CAUTH HELLO
//	called → caller   its ID and life, a nonce, a proof  the reply
//	caller → called   a proof                            CAUTH PROOF
//
// A proof is HMAC-SHA-256, with the secret as its key, of
//
//	atomiccounter peer handshake 1\n   31 B
//	role      1 B                      of the side that proves: S, the called one, or C, the caller
//	caller    8 B, 8 B, 32 B           ID and life, little-endian; nonce
//	called    8 B, 8 B, 32 B           likewise
//	channel   0 or 32 B                what both ends of a TLS connection can derive from it, and no other party (RFC 5705)
//
// The caller proves nothing before the proof of the one that it called has turned out right, so an impostor learns nothing that it could try
// secrets on. Any caller may learn such: the secret has to be one that cannot be guessed (MinSecret).
//
// A proof is good for nothing elsewhere: not at another replica or for another caller, for it names both; not as the answer to itself, for it
// names the role; not again, for the other side's nonce is new; and under TLS not on another connection. Without TLS a host in the middle can pass on a
// handshake as it is, and has the connection then.
package handshake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"atomiccounter/tlv"
)

// Version of the handshake. Of an unknown one nothing else is read.
const Version = 1

// Size of a nonce, a proof and a channel, in bytes.
const Size = 32

// MinSecret is the length of the shortest secret, in bytes.
const MinSecret = 16

// ChannelLabel is that of the key material that is the channel (tls.ConnectionState.ExportKeyingMaterial).
const ChannelLabel = "EXPORTER-atomiccounter-peer"

const domain = "atomiccounter peer handshake 1\n"

// Party is one of the two.
type Party struct {
	Replica tlv.ReplicaID
	Life    uint64
	Nonce   [Size]byte // random, for this handshake alone
}

// Same says whether both are one process.
func (p *Party) Same(o *Party) bool { return p.Replica == o.Replica && p.Life == o.Life }

// Transcript is what both sides know of a handshake.
type Transcript struct {
	Caller, Called Party
	Channel        []byte // empty without TLS
}

// ProveCalled is the proof of the side that was called.
func (t *Transcript) ProveCalled(secret string) []byte { return t.prove(secret, 'S') }

// ProveCaller is the proof of the side that calls.
func (t *Transcript) ProveCaller(secret string) []byte { return t.prove(secret, 'C') }

// Equal compares two proofs, and takes as long wherever they differ.
func Equal(a, b []byte) bool { return hmac.Equal(a, b) }

func (t *Transcript) prove(secret string, role byte) []byte {
	b := append([]byte(domain), role)
	for _, p := range []*Party{&t.Caller, &t.Called} {
		b = binary.LittleEndian.AppendUint64(b, uint64(p.Replica))
		b = binary.LittleEndian.AppendUint64(b, p.Life)
		b = append(b, p.Nonce[:]...)
	}
	b = append(b, t.Channel...)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(b)
	return mac.Sum(nil)
}
