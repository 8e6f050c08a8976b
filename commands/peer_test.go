package commands

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
	"atomiccounter/replica/csync"
	"atomiccounter/tlv"
)

func TestPeerCommands(t *testing.T) {
	c, n := replicated(t)
	for _, step := range [][2]string{
		{"CPEER ADD 10.0.0.1:6379", ":1|"},
		{"CPEER ADD 10.0.0.1:6379", ":0|"},
		{"cpeer add [::1]:7000", ":1|"},
		{"CPEER DEL 10.0.0.1:6379", ":1|"},
		{"CPEER DEL 10.0.0.1:6379", ":0|"},
		{"CPEER ADD nowhere", "-ERR peer 'nowhere' is not host:port|"},
		{"CPEER ADD :6379", "-ERR peer ':6379' is not host:port|"},
		{"CPEER ADD a,b:6379", "-ERR peer 'a,b:6379' is not host:port|"},
		{"CPEER ADD h:0", "-ERR peer 'h:0' has no port from 1 to 65535|"},
		{"CPEER ADD h:65536", "-ERR peer 'h:65536' has no port from 1 to 65535|"},
		{"CPEER ADD", "-ERR wrong number of arguments for 'cpeer|add' command|"},
		{"CPEER", "-ERR wrong number of arguments for 'cpeer' command|"},
		{"CPEER FOO", "-ERR unknown subcommand 'FOO'. Try CPEER HELP.|"},
		{"CPEER LIST", "*0|"},
	} {
		want(t, c, step[0], step[1])
	}
	for _, addr := range []string{"a b:6379", "a\r\nb:6379", "a\x00:6379", "a\xff:6379"} {
		if got := do(t, c, "CPEER", "ADD", addr); !strings.HasPrefix(got, "-ERR peer '") || strings.Count(got, "\n") != 1 {
			t.Errorf("CPEER ADD %q = %q; want an error of one line", addr, got)
		}
	}
	if !slices.Equal(n.addrs, []string{"[::1]:7000"}) {
		t.Errorf("peers = %q; want the one that is left", n.addrs)
	}
}

// threePeers are one that is well, one that is not, and one that only pulls from here.
func threePeers() []csync.PeerStatus {
	return []csync.PeerStatus{
		{Addr: "10.0.0.2:6379", ID: 0xb, State: "syncing", Since: time.Now(), LastContact: time.Now(), LagKeys: 5, BytesIn: 100, AckedOwn: 7 << tlv.StampShift,
			Pulls: true, LastPull: time.Now().Add(-time.Hour)},
		{Addr: "10.0.0.3:6379", State: "down", Error: "dial tcp, refused\r\n", TransferKeys: 100, TransferDone: 40, TransferRate: 9},
		{Addr: "10.0.0.4:50000", ID: 0xd, State: "pulling", Inbound: true, AckedOwn: 6, Pulls: true},
	}
}

func TestPeerList(t *testing.T) {
	c, n := replicated(t)
	n.peers = threePeers()
	do(t, c, "HELLO", "3")
	got := do(t, c, "CPEER", "LIST")
	for _, part := range []string{
		"*3\r\n%17\r\n$4\r\naddr\r\n$13\r\n10.0.0.2:6379\r\n$2\r\nid\r\n$16\r\n000000000000000b\r\n$5\r\nstate\r\n$7\r\nsyncing\r\n",
		"lag_keys\r\n:5\r\n", "divergent_keys\r\n:0\r\n", "bytes_in\r\n:100\r\n", "acked_ms\r\n:7\r\n", "last_contact_ms\r\n:-1\r\n", "inbound\r\n:1\r\n",
		"transfer_keys\r\n:100\r\n$13\r\ntransfer_done\r\n:40\r\n", "$5\r\nerror\r\n$19\r\ndial tcp, refused\r\n\r\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("CPEER LIST = %q; want %q in it", got, part)
		}
	}
}

func TestInfoReplication(t *testing.T) {
	c, n := replicated(t)
	n.peers = threePeers()
	do(t, c, "INCR", "k")
	if err := c.Server.Engine.Flush(); err != nil {
		t.Fatal(err)
	}
	text := reparse(t, do(t, c, "INFO", "replication")).(string)
	for _, part := range []string{
		"role:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=7340032,lag=36", // an hour, and what the test takes
		"slave1:ip=10.0.0.4,port=50000,state=online,offset=6,lag=0\r\n", "\r\nrepl_backlog_size:268435456\r\n",
		"\r\npeers:3\r\npeer0:addr=10.0.0.2:6379,id=000000000000000b,state=syncing,",
		"\r\npeer1:addr=10.0.0.3:6379,id=,state=down,", ",error=dial tcp; refused  \r\n", "\r\npeer2:",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("INFO replication = %q; want %q in it", text, part)
		}
	}
	if strings.Contains(text, "master_repl_offset:0\r\n") {
		t.Errorf("INFO replication = %q; want an offset after a write", text)
	}
}

func TestRole(t *testing.T) {
	c, n := replicated(t)
	n.peers = threePeers()
	role := reparse(t, do(t, c, "ROLE")).([]any)
	if len(role) != 3 || role[0] != "master" {
		t.Fatalf("ROLE = %q; want master and two more", role)
	}
	replicas := role[2].([]any)
	if len(replicas) != 2 || !slices.Equal(replicas[0].([]any), []any{"10.0.0.2", "6379", "7340032"}) {
		t.Errorf("ROLE has the replicas %q; want the two that pull", replicas)
	}
}

// The link from a peer may be well where the one to it is not, and the other way round.
func TestReplicasAreThoseThatPull(t *testing.T) {
	list := pullers([]csync.PeerStatus{
		{Addr: "a:1", State: "down", AckedOwn: 5, Pulls: true},
		{Addr: "b:1", State: "syncing", AckedOwn: 5},
	})
	if len(list) != 1 || list[0].Addr != "a:1" {
		t.Errorf("pullers = %+v; want a alone", list)
	}
}

func TestForget(t *testing.T) {
	c, n := replicated(t)
	for _, step := range [][2]string{
		{"CFORGET 00000000000000aa", ":1|"},
		{"CFORGET 00000000000000bb", "-ERR CFORGET: it was heard 3 s ago|"},
		{"CFORGET 00000000000000bb force", ":1|"},
		{"CFORGET 00000000000000bb now", "-ERR syntax error|"},
		{"CFORGET 00000000000000bb FORCE FORCE", "-ERR syntax error|"},
		{"CFORGET aa", "-ERR CFORGET: 'aa' is not a replica ID of 16 hexadecimal digits|"},
		{"CFORGET 0000000000000000", "-ERR CFORGET: '0000000000000000' is not a replica ID of 16 hexadecimal digits|"},
	} {
		want(t, c, step[0], step[1])
	}
	if !slices.Equal(n.forgot, []tlv.ReplicaID{0xaa, 0xbb}) {
		t.Errorf("the node forgets %x; want aa and bb", n.forgot)
	}
}

// A backup has what was acknowledged before it, and is a replica of its own.
func TestBackup(t *testing.T) {
	c := newContext(t)
	base := t.TempDir()
	dir := filepath.Join(base, "copy")
	if got := do(t, c, "CBACKUP", dir); !strings.Contains(got, errOutside.Error()) {
		t.Errorf("CBACKUP without backup-dir = %q; want an error", got)
	}
	adjust(c.Server, func(o *config.Settings) { o.Dir, o.BackupDir = t.TempDir(), base })
	do(t, c, "INCRBY", "k", "41")
	c.Run(words("INCR", "k")) // in the same round: not yet journaled when CBACKUP is read
	c.Out.Buf = c.Out.Buf[:0]
	want(t, c, "CBACKUP "+dir, "+OK|")
	if got := do(t, c, "CBACKUP", "a/../../copy"); !strings.Contains(got, errOutside.Error()) {
		t.Errorf("CBACKUP beyond backup-dir = %q; want an error", got)
	}
	if got := do(t, c, "CBACKUP", dir); !strings.Contains(got, "exists already") {
		t.Errorf("CBACKUP over a backup = %q; want an error", got)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(dir, engine.Options{Logger: c.Server.Log.Logger})
	if err != nil {
		t.Fatalf("Open of the backup = %v", err)
	}
	defer e.Close()
	if v, err := e.Counter("k").Get(t.Context()); v != 42 || err != nil {
		t.Errorf("Get from the backup = %d, %v; want 42", v, err)
	}
	if e.ReplicaID() == c.Server.Engine.ReplicaID() {
		t.Error("the backup goes on under the ID of the original")
	}
}

func TestCInfoSaysWhenAReplicaWasHeard(t *testing.T) {
	c, n := replicated(t)
	payload := string(tlv.AppendN(nil, tlv.N{{Replica: 1, Total: 5}}))
	if got := do(t, c, "CMERGE", "k", payload); got != "+OK\r\n" {
		t.Fatalf("CMERGE = %q; want OK", got)
	}
	part := tlv.Contribution{Replica: 2, Birth: 9, Rev: 9, Last: 9, Total: tlv.FromInt64(6)}
	if err := c.Server.Engine.Apply(&tlv.Batch{Replica: 2, Stamp: 9, Life: 1,
		Deltas: []tlv.Delta{{Key: []byte("\x00k"), State: tlv.State{Contributions: []tlv.Contribution{part}}}}}); err != nil {
		t.Fatalf("Apply = %v", err)
	}
	n.heard = map[tlv.ReplicaID]time.Time{2: time.Now().Add(-time.Hour)}
	got := do(t, c, "CINFO", "k")
	heard := regexp.MustCompile(`heard-ms-ago\r\n(\$-1|:36\d{5})\r\n`).FindAllStringSubmatch(got, -1)
	if len(heard) != 2 || heard[0][1] != "$-1" || heard[1][1] == "$-1" || strings.Count(got, "foreign\r\n:1") != 1 {
		t.Errorf("CINFO = %q; want a foreign replica 1, never heard, and 2 an hour ago", got)
	}
}
