package commands

import (
	"slices"
	"strings"
	"testing"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/replica/handshake"
	"atomiccounter/tlv"
)

const peerSecret = "correct horse battery staple"

// serverWithSecret gives a server whose replication takes a secret.
func serverWithSecret(t *testing.T) *Server {
	t.Helper()
	s := newServer(t)
	adjust(s, func(o *config.Settings) { o.PeerSecret = peerSecret })
	return s
}

// stranger is a connection from another machine.
func stranger(t *testing.T, s *Server) *Context {
	t.Helper()
	c := connect(t, s)
	c.Client.Local = false
	return c
}

// greet says CAUTH HELLO for a replica in life 7, and gives what both sides know then, and the proof that came.
func greet(t *testing.T, c *Context, id tlv.ReplicaID, nonce byte) (tr handshake.Transcript, proof []byte) {
	t.Helper()
	tr.Caller = handshake.Party{Replica: id, Life: 7, Nonce: [handshake.Size]byte{nonce}}
	parts, ok := reparse(t, do(t, c, "CAUTH", "HELLO", "1", csync.Hex(id), csync.Hex[uint64](7), string(tr.Caller.Nonce[:]))).([]any)
	if !ok || len(parts) != 4 {
		t.Fatalf("CAUTH HELLO = %q", parts)
	}
	tr.Called.Replica, _ = csync.ParseHex[tlv.ReplicaID](parts[0].(string))
	tr.Called.Life, _ = csync.ParseHex[uint64](parts[1].(string))
	copy(tr.Called.Nonce[:], parts[2].(string))
	return tr, []byte(parts[3].(string))
}

func prove(t *testing.T, c *Context, proof []byte) string {
	t.Helper()
	return do(t, c, "CAUTH", "PROOF", string(proof))
}

// wantNoPermission checks that a connection may not replicate.
func wantNoPermission(t *testing.T, c *Context) {
	t.Helper()
	if got := do(t, c, "CPEER", "LIST"); !strings.HasPrefix(got, "-NOPERM CPEER|LIST ") || !strings.Contains(got, "--peer-secret") {
		t.Errorf("CPEER LIST = %q; want NOPERM", got)
	}
}

// TestReplicationIsForPeers: who may use which command.
func TestReplicationIsForPeers(t *testing.T) {
	var marked []string
	byName.each(func(cmd *Command) {
		if cmd.Flags&replicates != 0 {
			marked = append(marked, cmd.FullName)
		}
	})
	slices.Sort(marked)
	want := []string{"cbackup", "cdigest", "cforget", "cmerge", "cpeer|add", "cpeer|del", "cpeer|help", "cpeer|list", "csnap", "csync"}
	if !slices.Equal(marked, want) {
		t.Errorf("for peers and administrators are %q; want %q", marked, want)
	}
	calls := []string{"CBACKUP relative", "CFORGET x", "CMERGE k p", "CPEER ADD x", "CPEER DEL x", "CPEER LIST", "CPEER HELP", "CDIGEST 4 x y z", "CSNAP 4 x y", "CSYNC 4 x y z"}
	for _, who := range []struct {
		name          string
		secret, local bool
		proves        bool
		may           bool
	}{
		{"this machine, no secret", false, true, false, true},
		{"elsewhere, no secret", false, false, false, false},
		{"this machine, a secret", true, true, false, false},
		{"elsewhere, a secret", true, false, false, false},
		{"this machine, who has the secret", true, true, true, true},
		{"elsewhere, who has the secret", true, false, true, true},
	} {
		s := newServer(t)
		if who.secret {
			adjust(s, func(o *config.Settings) { o.PeerSecret = peerSecret })
		}
		c := connect(t, s)
		c.Client.Local = who.local
		if who.proves {
			if got := do(t, c, "CAUTH", "SECRET", peerSecret); got != "+OK\r\n" {
				t.Errorf("CAUTH SECRET = %q", got)
			}
		}
		for _, line := range calls {
			if got := do(t, c, strings.Fields(line)...); strings.HasPrefix(got, "-NOPERM") == who.may {
				t.Errorf("%s: %s = %q", who.name, line, got)
			}
		}
		if who.may {
			continue
		}
		do(t, c, "MULTI")
		wantNoPermission(t, c)
		if got := do(t, c, "EXEC"); !strings.HasPrefix(got, "-EXECABORT") {
			t.Errorf("%s: EXEC = %q", who.name, got)
		}
		if got := do(t, c, "EVAL", "return redis.call('CPEER', 'LIST')", "0"); !strings.HasPrefix(got, "-") {
			t.Errorf("%s: CPEER LIST in a script = %q", who.name, got)
		}
	}
}

// TestHandshake: both sides prove, and the password is not asked for besides.
func TestHandshake(t *testing.T) {
	s := serverWithSecret(t)
	adjust(s, func(o *config.Settings) { o.Password = "sesame" })
	c := stranger(t, s)
	tr, proof := greet(t, c, 5, 1)
	if !handshake.Equal(proof, tr.ProveCalled(peerSecret)) {
		t.Errorf("the server's proof is wrong")
	}
	wantNoPermission(t, c)
	if got := prove(t, c, tr.ProveCaller(peerSecret)); got != "+OK\r\n" {
		t.Fatalf("CAUTH PROOF = %q", got)
	}
	want(t, c, "GET k", "$-1|")
	if got := do(t, c, "CPEER", "HELP"); strings.HasPrefix(got, "-") {
		t.Errorf("CPEER HELP = %q", got)
	}
	want(t, c, "RESET", "+RESET|")
	want(t, c, "GET k", "-NOAUTH Authentication required.|")
	wantNoPermission(t, c)
}

// TestHandshakesThatFail: what somebody without the secret may try.
func TestHandshakesThatFail(t *testing.T) {
	s := serverWithSecret(t)
	c, other := stranger(t, s), stranger(t, s)
	refused := func(what, got string) {
		t.Helper()
		if !strings.HasPrefix(got, "-WRONGPASS") {
			t.Errorf("%s: CAUTH PROOF = %q; want WRONGPASS", what, got)
		}
		wantNoPermission(t, c)
	}
	tr, _ := greet(t, c, 5, 1)
	refused("wrong secret", prove(t, c, tr.ProveCaller(peerSecret+"x")))
	if got := prove(t, c, tr.ProveCaller(peerSecret)); !strings.HasPrefix(got, "-ERR CAUTH PROOF without CAUTH HELLO") {
		t.Errorf("a second try = %q", got)
	}
	_, proof := greet(t, c, 5, 1)
	refused("the server's own proof", prove(t, c, proof))

	tr, _ = greet(t, c, 5, 1)
	_, proof = greet(t, other, tr.Called.Replica, 0) // as itself
	refused("a proof that it gave elsewhere", prove(t, c, proof))

	tr, _ = greet(t, other, 5, 1)
	good := tr.ProveCaller(peerSecret)
	if got := prove(t, other, good); got != "+OK\r\n" {
		t.Fatalf("CAUTH PROOF = %q", got)
	}
	greet(t, c, 5, 1)
	refused("a proof that was good before", prove(t, c, good))

	tr, _ = greet(t, c, 5, 1)
	tr.Caller.Replica = 6
	refused("that of another replica", prove(t, c, tr.ProveCaller(peerSecret)))

	c.Client.Channel = func() ([]byte, error) { return make([]byte, handshake.Size), nil }
	tr, _ = greet(t, c, 5, 1)
	refused("a proof of another connection", prove(t, c, tr.ProveCaller(peerSecret)))
	c.Client.Channel = nil

	id, life := s.Engine.ReplicaID(), s.Engine.Life()
	nonce := strings.Repeat("n", handshake.Size)
	if got := do(t, c, "CAUTH", "HELLO", "1", csync.Hex(id), csync.Hex(life), nonce); !strings.HasPrefix(got, "*4") {
		t.Errorf("CAUTH HELLO of itself = %q", got) // so that it knows itself again
	}
	if got := prove(t, c, good); !strings.HasPrefix(got, "-SELF") {
		t.Errorf("CAUTH PROOF of itself = %q", got)
	}
	wantNoPermission(t, c)

	if got := do(t, c, "CAUTH", "SECRET", "x"); !strings.HasPrefix(got, "-WRONGPASS") {
		t.Errorf("CAUTH SECRET x = %q", got)
	}
	wantNoPermission(t, c)
	for line, reply := range map[string]string{
		"CAUTH HELLO 2 0000000000000005 0000000000000007 " + nonce: "-ERR CAUTH HELLO: handshake version 2 is not spoken here; this server speaks 1|",
		"CAUTH HELLO 1 0000000000000000 0000000000000007 " + nonce: "-ERR CAUTH HELLO: a replica ID is not zero|",
		"CAUTH HELLO 1 05 0000000000000007 " + nonce:               "-ERR CAUTH HELLO: replica ID '05' is not 16 hexadecimal digits|",
		"CAUTH HELLO 1 0000000000000005 0000000000000007 n":        "-ERR CAUTH HELLO: a nonce has 32 bytes|",
		"CAUTH": "-ERR wrong number of arguments for 'cauth' command|",
	} {
		want(t, c, line, reply)
	}
	adjust(s, func(o *config.Settings) { o.PeerSecret = "" })
	for _, line := range []string{"CAUTH HELLO 1 0000000000000005 0000000000000007 " + nonce, "CAUTH SECRET x"} {
		if got := do(t, c, strings.Fields(line)...); !strings.HasPrefix(got, "-ERR CAUTH: this server has no --peer-secret") {
			t.Errorf("%s without a secret = %q", line, got)
		}
	}
}

// TestConnectionSpeaksForOne: the replica of its proof, or the first that it names.
func TestConnectionSpeaksForOne(t *testing.T) {
	s := serverWithSecret(t)
	sync := func(c *Context, id string) string { return do(t, c, "CSYNC", "4", id, "0000000000000001", "") }
	const five, six = "0000000000000005", "0000000000000006"
	refused := func(c *Context, id string, want bool) {
		t.Helper()
		for _, got := range []string{sync(c, id), do(t, c, "CSNAP", "4", id, "0000000000000001"), do(t, c, "CDIGEST", "4", id, "0000000000000001", "\x00k")} {
			if strings.Contains(got, "speaks for replica "+five) != want {
				t.Errorf("as %s: %q; refused is %t", id, got, want)
			}
		}
	}
	peer := stranger(t, s)
	tr, _ := greet(t, peer, 5, 1)
	prove(t, peer, tr.ProveCaller(peerSecret))
	refused(peer, six, true)
	refused(peer, five, false)
	tr, _ = greet(t, peer, 6, 1)
	prove(t, peer, tr.ProveCaller(peerSecret))
	refused(peer, six, false)

	adjust(s, func(o *config.Settings) { o.PeerSecret = "" })
	local := connect(t, s)
	refused(local, five, false)
	refused(local, six, true)
	refused(local, five, false)
}

// FuzzCAuth gives arbitrary arguments to each subcommand: nobody is let in.
func FuzzCAuth(f *testing.F) {
	s := newServerWith(f, engine.Options{InMemory: true})
	adjust(s, func(o *config.Settings) { o.PeerSecret = peerSecret })
	c := connect(f, s)
	c.Client.Local = false
	f.Add("HELLO", "1", csync.Hex[uint64](5), csync.Hex[uint64](7), strings.Repeat("n", handshake.Size))
	f.Add("PROOF", strings.Repeat("p", handshake.Size), "", "", "")
	f.Add("SECRET", "x", "", "", "")
	f.Fuzz(func(t *testing.T, sub, a, b, d, e string) {
		for n := range 5 {
			got := do(t, c, append([]string{"CAUTH", sub}, []string{a, b, d, e}[:n]...)...)
			if got == "" || c.Client.credential.proven || c.mayReplicate() {
				t.Errorf("CAUTH %q %q = %q", sub, []string{a, b, d, e}[:n], got)
			}
		}
	})
}
