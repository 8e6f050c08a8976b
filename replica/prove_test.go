package replica

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tidwall/redcon"

	"atomiccounter/replica/csync"
	"atomiccounter/replica/handshake"
	"atomiccounter/tlv"
)

const testSecret = "correct horse battery staple"

// called answers one handshake at conn for replica theirs in life 2, with the change that a test makes of its proof.
func called(conn net.Conn, change func(t *handshake.Transcript, proof []byte) []byte) error {
	r := redcon.NewReader(conn)
	cmd, err := r.ReadCommand()
	if err != nil {
		return err
	}
	t := handshake.Transcript{Called: handshake.Party{Replica: theirs, Life: 2, Nonce: [handshake.Size]byte{9}}}
	t.Caller.Life, _ = csync.ParseHex[uint64](string(cmd.Args[4]))
	t.Caller.Replica, _ = csync.ParseHex[tlv.ReplicaID](string(cmd.Args[3]))
	copy(t.Caller.Nonce[:], cmd.Args[5])
	proof := change(&t, t.ProveCalled(testSecret))
	if err := send(conn, csync.Hex(t.Called.Replica), csync.Hex(t.Called.Life), string(t.Called.Nonce[:]), string(proof)); err != nil { // an array of strings, as a command is
		return err
	}
	if cmd, err = r.ReadCommand(); err != nil {
		return err
	}
	if !handshake.Equal(cmd.Args[2], t.ProveCaller(testSecret)) {
		return errors.New("a wrong proof")
	}
	_, err = io.WriteString(conn, "+OK\r\n")
	return err
}

// TestProve: the caller tells a peer that has the secret from one that has not, and proves nothing to that.
func TestProve(t *testing.T) {
	good := func(_ *handshake.Transcript, proof []byte) []byte { return proof }
	for _, c := range []struct {
		name   string
		change func(t *handshake.Transcript, proof []byte) []byte
		err    string // "": none
	}{
		{"good", good, ""},
		{"another secret", func(t *handshake.Transcript, _ []byte) []byte { return t.ProveCalled(testSecret + "x") }, "does not know the peer secret"},
		{"the caller's own proof", func(t *handshake.Transcript, _ []byte) []byte { return t.ProveCaller(testSecret) }, "does not know the peer secret"},
		{"an old nonce", func(t *handshake.Transcript, _ []byte) []byte {
			old := *t
			old.Caller.Nonce[0]++
			return old.ProveCalled(testSecret)
		}, "does not know the peer secret"},
		{"TLS ends before the peer", func(t *handshake.Transcript, _ []byte) []byte {
			other := *t
			other.Channel = make([]byte, handshake.Size)
			return other.ProveCalled(testSecret)
		}, "does not know the peer secret"},
		{"itself", func(t *handshake.Transcript, _ []byte) []byte {
			t.Called.Replica, t.Called.Life = t.Caller.Replica, t.Caller.Life
			return t.ProveCalled(testSecret)
		}, "SELF "},
		{"it says that it is itself", func(t *handshake.Transcript, _ []byte) []byte {
			t.Called.Replica, t.Called.Life = t.Caller.Replica, t.Caller.Life
			return make([]byte, handshake.Size)
		}, "does not know the peer secret"},
		{"a copy of itself", func(t *handshake.Transcript, _ []byte) []byte {
			t.Called.Replica = t.Caller.Replica
			return t.ProveCalled(testSecret)
		}, ""},
	} {
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- called(far, c.change) }()
		err := prove(near, testSecret, mine, 1)
		near.Close()
		served := <-done
		var peer csync.Error
		switch {
		case c.err == "" && (err != nil || served != nil):
			t.Errorf("%s: prove = %v, %v", c.name, err, served)
		case c.err != "" && (!errors.As(err, &peer) || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: prove = %v; want %q", c.name, err, c.err)
		case c.err != "" && !errors.Is(served, io.EOF):
			t.Errorf("%s: the peer has heard a proof", c.name)
		}
	}
}

// TestProveBelievesNoError: somebody who has proven nothing cannot answer with what means something.
func TestProveBelievesNoError(t *testing.T) {
	for _, text := range []string{"SELF this is the replica that asks", "DUPLICATE x", "FORKED x", "BUSY x", "NOSNAPSHOT x"} {
		near, far := net.Pipe()
		go func() {
			_, _ = redcon.NewReader(far).ReadCommand()
			_, _ = io.WriteString(far, "-"+text+"\r\n")
		}()
		err := prove(near, testSecret, mine, 1)
		near.Close()
		far.Close()
		var peer csync.Error
		if !errors.As(err, &peer) || peer.Code() != "in" || !strings.Contains(err.Error(), text) {
			t.Errorf("prove = %v; want what the peer says, without its code", err)
		}
	}
}

// FuzzReadHello: what somebody answers who has proven nothing is read without a panic, and no more of it than there has to be.
func FuzzReadHello(f *testing.F) {
	var good bytes.Buffer
	n := strings.Repeat("n", handshake.Size)
	if err := send(&good, csync.Hex(theirs), csync.Hex[uint64](2), n, n); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{good.String(), good.String() + "x", "-ERR no\r\n", "*4\r\n$16\r\n", "*4\r\n$-1\r\n", "*4\n", "$", strings.Repeat("x", 2*maxErrorLine)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bytes.NewReader(data)
		var p handshake.Party
		proof, err := readHello(bufio.NewReaderSize(in, maxErrorLine), &p)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := send(&again, csync.Hex(p.Replica), csync.Hex(p.Life), string(p.Nonce[:]), string(proof)); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(bytes.ToLower(data), bytes.ToLower(again.Bytes())) {
			t.Errorf("%q is read as %q", data, again.Bytes())
		}
	})
}
