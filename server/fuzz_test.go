package server

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"atomiccounter/engine"
)

// unsteady are words in requests whose replies depend on the time, on the connection or on a random choice.
var unsteady = []string{"info", "time", "client", "config", "command", "random", "scan", "keys", "ttl", "ex", "px",
	"hello", "touch", "memory", "latency", "slowlog", "lastsave", "debug", "idletime", "freq", "shutdown", "ctoken", "cdump", "role",
	"while", "repeat", "for", "goto", "function", "tostring", "collectgarbage", "gcinfo"} // the latter in scripts

// steady says that the same requests get the same replies from the same start.
func steady(in []byte) bool {
	in = bytes.ToLower(in)
	for _, word := range unsteady {
		if bytes.Contains(in, []byte(word)) {
			return false
		}
	}
	return true
}

// FuzzSession gives arbitrary bytes to a session, cut anywhere: it must not panic, must answer as when they come in one
// piece, and must leave the engine usable for others.
func FuzzSession(f *testing.F) {
	for _, test := range scanTests {
		if len(test.in) < 1<<10 {
			f.Add([]byte(test.in), uint16(len(test.in)/2), uint16(3))
		}
	}
	for _, in := range []string{
		"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\nGET k\r\n", "HELLO 3\r\nGET k\r\n", "MGET a b c\r\nDEL a\r\n",
		"SET k 5 GET\r\nINCRBY k 9223372036854775807\r\nINCRBY k 1\r\n", "CLIENT REPLY SKIP\r\nPING\r\nPING\r\n",
		"COMMAND DOCS incr\r\nCONFIG GET *\r\nINFO\r\n", "SET k 1 PX 1\r\nEXPIRE k -1\r\nSCAN 0 MATCH [a-\\\r\n",
		"CNEW n NATURAL\r\nDECR n\r\nCINFO n\r\n", "CINCRBY k 1 TOKEN t\r\nMULTI\r\nCINCRBY k 1 TOKEN t EX 5\r\nFLUSHALL\r\nEXEC\r\nCINCRBY k 2 TOKEN t\r\n", "INCREX k BYINT 5 UBOUND 3 SATURATE\r\n", "FLUSHALL\r\nKEYS *\r\n",
		"INCR k\r\nWAIT 1 0\r\nINCR k\r\nWAIT 0 0\r\n", "CLIENT REPLY SKIP\r\nWAIT 1 1\r\nPING\r\n",
		"*3\r\n$6\r\nCMERGE\r\n$1\r\nk\r\n$5\r\nt\x032\x05\x01\r\nGET k\r\n", "*3\r\n$6\r\nCMERGE\r\n$1\r\nk\r\n$7\r\ni\x052\x02\x01\x08\r\r\nGET k\r\n",
		"CDUMP k\r\nCTOKEN\r\nCWAIT dgA 1\r\nGET k\r\n", "CSYNC 4 00000000000000aa 00000000000000bb v\"\\x00\"\r\nCSNAP 7\r\nCPEER LIST\r\n",
		"EVAL \"return redis.call('incr',KEYS[1])\" 1 k\r\nSCRIPT LOAD \"return {1,'x',{err='e'}}\"\r\nEVALSHA 0 0\r\nSCRIPT FLUSH\r\n",
		"MULTI\r\nEVAL \"return cjson.encode(cmsgpack.unpack(cmsgpack.pack(ARGV)))\" 0 a b\r\nEXEC\r\nSCRIPT EXISTS x\r\nEVAL_RO \"error({})\" 0\r\n",
		"HELLO 3\r\nSUBSCRIBE a b\r\nPUBLISH a 1\r\nPSUBSCRIBE *\r\nPUBLISH a 2\r\nUNSUBSCRIBE\r\nPING\r\n", "SUBSCRIBE a\r\nGET k\r\nPING\r\nRESET\r\n",
		"MONITOR\r\nSLOWLOG GET\r\nLATENCY DOCTOR\r\n", "CLIENT PAUSE 1\r\nGET k\r\nCLIENT UNPAUSE\r\n",
		"CFORGET 00000000000000aa\r\nROLE\r\n", "MULTI\r\nINCR k\r\nFLUSHALL\r\nKEYS *\r\nSET k x\r\nWAIT 1 1\r\nEXEC\r\n",
		"WATCH k\r\nINCR k\r\nMULTI\r\nGET k\r\nEXEC\r\n", "MULTI\r\nCTOKEN\r\nEXEC x\r\nMULTI\r\nRESET\r\nDISCARD\r\n",
		"MULTI\r\nCLIENT REPLY OFF\r\nHELLO 3\r\nCLIENT REPLY ON\r\nCONFIG SET appendfsync always\r\nDBSIZE\r\nEXEC\r\n",
	} {
		f.Add([]byte(in), uint16(7), uint16(11))
	}
	e := openEngine(f, engine.EverySec)
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		if len(in) > 64<<10 {
			return
		}
		i := min(int(a), len(in))
		j := min(i+int(b), len(in))
		whole, wholeClosed := converse(anew(t, e), in)
		cut, cutClosed := converse(anew(t, e), in[:i], in[i:j], in[j:])
		if steady(in) && (whole != cut || wholeClosed != cutClosed) {
			t.Errorf("in one piece %q, closed %v; cut at %d and %d %q, closed %v", whole, wholeClosed, i, j, cut, cutClosed)
		}
		other := newSession(sharedOn(e))
		if got, _ := converse(other, []byte("SET other 1\r\nINCR other\r\n")); got != "+OK\r\n:2\r\n" {
			t.Errorf("another session gets %q; want %q", got, "+OK\r\n:2\r\n")
		}
	})
}

// FuzzScanner reads arbitrary bytes, cut anywhere, as it reads them in one piece.
func FuzzScanner(f *testing.F) {
	for _, test := range scanTests {
		if len(test.in) < 1<<10 {
			f.Add([]byte(test.in), uint16(len(test.in)/2), uint16(3))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		i := min(int(a), len(in))
		j := min(i+int(b), len(in))
		want, wantRest, wantErr := scanAll(new(scanner), in, open)
		got, rest, err := scanAll(new(scanner), in, open, i, j)
		if !slices.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) || err == nil && rest != wantRest {
			t.Errorf("cut at %d and %d: %v, %d left, %v; want %v, %d, %v", i, j, got, rest, err, want, wantRest, wantErr)
		}
	})
}

// anew gives a session of a server that has just been started on an empty store.
func anew(t *testing.T, e *engine.Engine) *Session {
	server := sharedOn(e)
	stop := time.AfterFunc(time.Second, server.Scripts.Stop) // a script that would go on for ever
	t.Cleanup(func() { stop.Stop() })
	s := newSession(server)
	t.Cleanup(s.Close)
	if got, _ := converse(s, []byte("FLUSHALL\r\n")); got != "+OK\r\n" {
		t.Fatalf("FLUSHALL = %q; want OK", got)
	}
	return s
}
