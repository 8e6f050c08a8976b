package commands

import (
	"regexp"
	"strings"
	"testing"
)

// twin is a connection to this server, and one to a real redis-server.
type twin struct {
	ours *Context
	real *realRedis
}

// id asks for the ID that each has.
func (w *twin) id(t *testing.T) (ours, real string) {
	trim := func(reply string) string { return strings.Trim(reply, ":\r\n") }
	return trim(do(t, w.ours, "CLIENT", "ID")), trim(w.real.do(t, "CLIENT", "ID"))
}

// pushes are what others have sent to both, in order.
func (w *twin) pushes(t *testing.T) (ours, real string) {
	t.Helper()
	reply := w.real.do(t, "PING")
	for reply != "+PONG\r\n" && reply != "*2\r\n$4\r\npong\r\n$0\r\n\r\n" {
		real += reply
		next, err := readReply(w.real.in)
		if err != nil {
			t.Fatal(err)
		}
		reply = string(next)
	}
	return sent(w.ours), strings.ReplaceAll(real, "\r\n", "|")
}

// TestTrackingRedirects: a tracks keys for b, and w writes. Replies, and what a and b are told, are Redis's.
func TestTrackingRedirects(t *testing.T) {
	const listen = "b SUBSCRIBE __redis__:invalidate"
	for name, steps := range map[string][]string{
		"default mode":   {listen, "a CLIENT TRACKING ON REDIRECT b", "a GET k", "w SET k 1", "w SET k 2", "a MGET k l", "w DEL k", "w MSET k 1 l 2", "a GET k", "w FLUSHALL"},
		"RESP3 target":   {"b HELLO 3", "a CLIENT TRACKING ON REDIRECT b", "a GET k", "w SET k 1", "b HELLO 2", "a GET k", "w SET k 2"},
		"not listening":  {"a CLIENT TRACKING ON REDIRECT b", "a GET k", "w SET k 1", "b PSUBSCRIBE x*", "a GET k", "w SET k 2", "b PUNSUBSCRIBE", "a GET k", "w SET k 3"},
		"own writes":     {listen, "a CLIENT TRACKING ON REDIRECT b", "a GET k", "a SET k 1"},
		"noloop":         {listen, "a CLIENT TRACKING ON NOLOOP REDIRECT b", "a GET k", "a SET k 1", "a GET k", "w SET k 2", "a CLIENT TRACKINGINFO"},
		"optin":          {listen, "a CLIENT TRACKING ON REDIRECT b OPTIN", "a GET k", "w SET k 1", "a CLIENT CACHING YES", "a GET k", "w SET k 2", "a CLIENT TRACKINGINFO"},
		"optout":         {listen, "a CLIENT TRACKING ON OPTOUT REDIRECT b", "a GET k", "w SET k 1", "a CLIENT CACHING NO", "a GET k", "w SET k 2"},
		"broadcast":      {listen, "a CLIENT TRACKING ON BCAST PREFIX k REDIRECT b", "w SET k1 1", "w MSET k1 1 k2 2 l 3", "w SET l 1", "a SET k1 2", "a CLIENT TRACKINGINFO"},
		"itself":         {"a CLIENT TRACKING ON REDIRECT a", "a GET k", "w SET k 1", "a CLIENT GETREDIR", "a CLIENT LIST ID a"},
		"twice":          {"a CLIENT TRACKING ON REDIRECT b REDIRECT b", "a CLIENT TRACKING ON REDIRECT 0", "a CLIENT TRACKING ON REDIRECT x", "a CLIENT TRACKING ON REDIRECT 99999", "a CLIENT TRACKING ON REDIRECT -1"},
		"looking":        {"a CLIENT GETREDIR", "a CLIENT TRACKINGINFO", "a CLIENT TRACKING ON REDIRECT b", "a CLIENT GETREDIR", "a CLIENT TRACKINGINFO", "a CLIENT LIST ID a", "a CLIENT TRACKING ON", "a CLIENT GETREDIR", "a CLIENT TRACKING OFF", "a CLIENT GETREDIR"},
		"reset":          {"a CLIENT TRACKING ON REDIRECT b", "a RESET", "a CLIENT GETREDIR", "a CLIENT TRACKINGINFO"},
		"gone in RESP3":  {"a HELLO 3", "a CLIENT TRACKING ON REDIRECT b", "a GET k", "b gone", "w SET k 1", "a CLIENT TRACKINGINFO", "a CLIENT GETREDIR", "a CLIENT LIST ID a", "a GET k", "w SET k 2", "a CLIENT TRACKING ON", "a CLIENT TRACKINGINFO"},
		"gone in RESP2":  {"a CLIENT TRACKING ON REDIRECT b", "a GET k", "b gone", "w SET k 1", "a CLIENT TRACKINGINFO", "a CLIENT LIST ID a", "a CLIENT TRACKING OFF", "a CLIENT TRACKINGINFO"},
		"gone broadcast": {"a HELLO 3", "a CLIENT TRACKING ON BCAST REDIRECT b", "b gone", "w SET k 1", "w SET k 2", "a CLIENT TRACKINGINFO"},
	} {
		t.Run(name, func(t *testing.T) { compareRedirects(t, steps) })
	}
}

func compareRedirects(t *testing.T, steps []string) {
	s, socket := newServer(t), startRedis(t)
	clients := map[string]*twin{}
	oursID, realID := []string{}, []string{}
	for _, name := range []string{"a", "b", "w"} {
		w := &twin{connect(t, s), dialRedis(t, socket)}
		ours, real := w.id(t)
		clients[name] = w
		oursID, realID = append(oursID, name, ours), append(realID, name, real)
	}
	for _, step := range steps {
		words := strings.Fields(step)
		w := clients[words[0]]
		if words[1] == "gone" {
			s.Forget(w.ours.Client)
			clients["w"].real.do(t, "CLIENT", "KILL", "ID", realID[3])
			delete(clients, words[0])
			continue
		}
		ours, real := do(t, w.ours, named(words[1:], oursID)...), w.real.do(t, named(words[1:], realID)...)
		if words[1] == "CLIENT" {
			ours, real = comparable(ours, oursID), comparable(real, realID)
		}
		if ours != real && words[1] != "HELLO" {
			t.Errorf("%s = %q; want %q", step, ours, real)
		}
		for _, name := range []string{"a", "b"} {
			if clients[name] == nil || words[1] == "CLIENT" { // to ask for pushes is a command, which ends CLIENT CACHING
				continue
			}
			ours, real := clients[name].pushes(t)
			if ours, real = comparable(ours, oursID), comparable(real, realID); ours != real {
				t.Errorf("after %s %s was told %q; want %q", step, name, ours, real)
			}
		}
	}
}

// named puts the ID in place of a client's name.
func named(words, ids []string) []string {
	words = append([]string(nil), words...)
	for i := range words {
		for j := 0; i > 0 && j < len(ids); j += 2 {
			if words[i] == ids[j] {
				words[i] = ids[j+1]
			}
		}
	}
	return words
}

// comparable puts the name of a client in place of its ID, and leaves of CLIENT LIST what is compared.
func comparable(reply string, ids []string) string {
	if _, list, ok := strings.Cut(reply, "id="); ok {
		reply = strings.Join(regexp.MustCompile(`(flags|redir|resp)=\S+`).FindAllString(list, -1), " ")
		reply = strings.ReplaceAll(reply, "U ", " ") // the real one is reached through a socket
	}
	for i := 0; i < len(ids); i += 2 {
		reply = regexp.MustCompile(`(:|redir=)`+ids[i+1]+`\b`).ReplaceAllString(reply, "${1}"+ids[i])
	}
	return reply
}

// TestHScanWithoutValues: NOVALUES is of Redis 7.4, which the real server beside is not.
func TestHScanWithoutValues(t *testing.T) {
	c := newContext(t)
	do(t, c, "HSET", "h", "b", "x")
	wants(t, c, map[string]string{
		"HSCAN h 0 NOVALUES":                  "*2|$1|0|*1|$1|b|",
		"HSCAN h 0 novalues MATCH b COUNT 10": "*2|$1|0|*1|$1|b|",
		"HSCAN h 0 MATCH b NOVALUES":          "*2|$1|0|*1|$1|b|",
		"HSCAN h 0 MATCH b":                   "*2|$1|0|*2|$1|b|$1|x|",
		"HSCAN h 0 MATCH":                     "-ERR syntax error|",
		"HSCAN h 0 MATCH novalues":            "*2|$1|0|*0|",
		"HSCAN none 0 NOVALUES":               "*2|$1|0|*0|",
		"SCAN 0 NOVALUES":                     "-ERR syntax error|",
	})
}

// TestWatchesAreShown in CLIENT LIST and INFO, as Redis 7.4 does.
func TestWatchesAreShown(t *testing.T) {
	s := newServer(t)
	c, d := connect(t, s), connect(t, s)
	shown := func(count, clients, keys string) {
		t.Helper()
		text := do(t, d, "CLIENT", "LIST", "ID", "1") + do(t, d, "INFO", "clients")
		for _, part := range []string{" multi=-1 watch=" + count + " qbuf=", "\r\nwatching_clients:" + clients + "\r\n", "\r\ntotal_watched_keys:" + keys + "\r\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("CLIENT LIST and INFO = %q; want %q in it", text, part)
			}
		}
	}
	shown("0", "0", "0")
	do(t, c, "WATCH", "a", "b", "a")
	do(t, d, "WATCH", "b")
	shown("2", "2", "2")
	do(t, c, "UNWATCH")
	shown("0", "1", "1")
	do(t, c, "WATCH", "a")
	do(t, c, "SET", "a", "1")
	shown("0", "1", "1")
	do(t, c, "MULTI")
	do(t, c, "EXEC")
	do(t, d, "UNWATCH")
	shown("0", "0", "0")
}
