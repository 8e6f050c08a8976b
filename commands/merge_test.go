package commands

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// TestMergeOfPlainValues merges plain N and Z values of RDX, and writes it back alike.
func TestMergeOfPlainValues(t *testing.T) {
	text, err := os.ReadFile("../tlv/testdata/rdx.json")
	if err != nil {
		t.Fatal(err)
	}
	type vector struct {
		Hex   string
		Value json.Number
	}
	var vectors struct {
		Natural, ZCounter []vector
		NaturalMerge      []struct {
			Inputs []string
			Value  json.Number
		} `json:"natural_merge"`
		ZCounterMerge []struct {
			Inputs []string
			Value  json.Number
		} `json:"zcounter_merge"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	c := newContext(t)
	n := 0
	merge := func(value json.Number, payloads ...string) {
		n++
		key := fmt.Sprint("k", n)
		nothing := true
		for range 2 { // again changes nothing
			for _, p := range payloads {
				b, err := hex.DecodeString(p)
				if err != nil {
					t.Fatal(err)
				}
				nothing = nothing && len(b) == 0
				if got := do(t, c, "CMERGE", key, string(b)); got != "+OK\r\n" {
					t.Errorf("CMERGE of %s = %q; want OK", p, got)
				}
			}
		}
		got := do(t, c, "GET", key)
		if want := fmt.Sprintf("$%d\r\n%s\r\n", len(value), value); got != want && !(got == "$-1\r\n" && value == "0") {
			t.Errorf("GET after CMERGE of %s = %q; want %q", payloads, got, want)
		}
	}
	for _, v := range vectors.Natural {
		merge(v.Value, v.Hex)
	}
	for _, v := range vectors.ZCounter {
		merge(v.Value, v.Hex)
	}
	for _, v := range vectors.NaturalMerge {
		merge(v.Value, v.Inputs...)
	}
	for _, v := range vectors.ZCounterMerge {
		merge(v.Value, v.Inputs...)
	}
	if n < 15 {
		t.Errorf("%d vectors; want at least 15", n)
	}
}

func TestMerge(t *testing.T) {
	c := newContext(t)
	natural := string(tlv.AppendN(nil, tlv.N{{Replica: 1, Total: 5}, {Replica: 2, Total: 6}}))
	later := string(tlv.AppendN(nil, tlv.N{{Replica: 1, Total: 9}}))
	both := string(tlv.AppendZ(nil, tlv.Z{{Replica: 1, Revision: 0, Value: -7}}))
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"CMERGE", "a", natural, "b", both}, "+OK\r\n"},
		{[]string{"MGET", "a", "b"}, "*2\r\n$2\r\n11\r\n$2\r\n-7\r\n"},
		{[]string{"CMERGE", "a", natural}, "+OK\r\n"},
		{[]string{"INCR", "a"}, ":12\r\n"},
		{[]string{"CMERGE", "a", later, "a", natural}, "+OK\r\n"},
		{[]string{"GET", "a"}, "$2\r\n16\r\n"},
		{[]string{"CMERGE", "none", ""}, "+OK\r\n"},
		{[]string{"EXISTS", "none"}, ":0\r\n"},
		{[]string{"DEL", "a"}, ":1\r\n"},
		{[]string{"CMERGE", "a", later}, "+OK\r\n"}, // was cancelled
		{[]string{"EXISTS", "a"}, ":0\r\n"},
		{[]string{"CMERGE", "a"}, "-ERR wrong number of arguments for 'cmerge' command\r\n"},
		{[]string{"CMERGE", "a", natural, "b"}, "-ERR wrong number of arguments for 'cmerge' command\r\n"},
		{[]string{"SELECT", "3"}, "+OK\r\n"},
		{[]string{"CMERGE", "a", natural}, "+OK\r\n"},
		{[]string{"GET", "a"}, "$2\r\n11\r\n"},
	} {
		if got := do(t, c, step.args...); got != step.want {
			t.Errorf("%q = %q; want %q", step.args, got, step.want)
		}
	}
}

func TestBadPayloads(t *testing.T) {
	c := newContext(t)
	good := tlv.AppendN(nil, tlv.N{{Replica: 1, Total: 5}, {Replica: 2, Total: 6}})
	record := len(good) / 2
	zero := tlv.AppendN(nil, tlv.N{{Replica: 0, Total: 5}})
	twice := bytes.Repeat(good[:record], 2)
	state := tlv.AppendState(nil, &tlv.State{Resets: []tlv.Reset{{Replica: 1, Rev: 1}}})
	for _, test := range []struct {
		payload string
		want    string // between the key and the end
	}{
		{"x\x00", "record X is neither a state nor a plain N or Z at offset 0"},
		{"hello", "at offset 0"},
		{string(good) + "t", fmt.Sprintf("body cut short at offset %d", 2*record)},
		{string(good[:len(good)-1]), fmt.Sprintf("at offset %d", record)},
		{string(good) + string(state), fmt.Sprintf("at offset %d", 2*record)},
		{string(state) + string(good), fmt.Sprintf("at offset %d", len(state))},
		{string(twice), fmt.Sprintf("at offset %d", record)},
		{string(good) + string(zero), fmt.Sprintf("at offset %d", 2*record)},
		{strings.Repeat("x", maxPayload+1), "1048577 bytes are more than the 1048576 that a payload may have"},
	} {
		got := do(t, c, "CMERGE", "fine", string(good), "bad", test.payload)
		if !strings.HasPrefix(got, "-ERR CMERGE: payload of 'bad': ") || !strings.HasSuffix(got, test.want+"\r\n") {
			t.Errorf("CMERGE of %.40q = %q; want … %q", test.payload, got, test.want)
		}
	}
	want(t, c, "DBSIZE", ":0|")
	if got := do(t, c, "CMERGE", strings.Repeat("k", engine.MaxKey+1), string(good)); got != "-ERR CMERGE: key is longer than 64 KiB\r\n" {
		t.Errorf("CMERGE of a long key = %q; want an error", got)
	}
}

// The offset of a fault in a long payload is found in time.
func TestFaultInALongPayload(t *testing.T) {
	var n tlv.N
	for i := range uint64(60000) {
		n = append(n, tlv.NTotal{Replica: tlv.ReplicaID(i + 1), Total: 1})
	}
	data := tlv.AppendN(nil, n)
	at := len(data)
	data = append(data, tlv.AppendN(nil, n[:1])...)
	if len(data) > maxPayload {
		t.Fatalf("the payload has %d bytes; want it to fit", len(data))
	}
	_, err := parsePayload(data)
	if want := fmt.Sprintf("at offset %d", at); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("parsePayload = %v; want %q", err, want)
	}
}

func TestKeysOfMergeAndDump(t *testing.T) {
	c := newContext(t)
	want(t, c, "COMMAND GETKEYS CMERGE a 1 b 2", "*2|$1|a|$1|b|")
	want(t, c, "COMMAND GETKEYS CDUMP a RDX", "*1|$1|a|")
	want(t, c, "COMMAND GETKEYS CSYNC 1", "-ERR The command has no key arguments|")
}

// What CDUMP writes, CMERGE of another cluster takes, with resets and all.
func TestDump(t *testing.T) {
	a, b := newContext(t), newContext(t)
	do(t, a, "INCRBY", "k", "40")
	do(t, a, "CMERGE", "k", string(tlv.AppendZ(nil, tlv.Z{{Replica: 9, Revision: 3, Value: 2}})))
	for _, value := range []string{"42", "-1"} {
		dump := reparse(t, do(t, a, "CDUMP", "k")).(string)
		if got := do(t, b, "CMERGE", "k", dump); got != "+OK\r\n" {
			t.Fatalf("CMERGE of a dump = %q; want OK", got)
		}
		want(t, b, "GET k", fmt.Sprintf("$2|%s|", value))
		do(t, a, "SET", "k", "-1")
	}
	want(t, a, "CDUMP none", "$-1|")
	want(t, a, "CDUMP none RDX", "$-1|")
	want(t, a, "CDUMP k FOO", "-ERR syntax error|")
	want(t, a, "CDUMP k RDX RDX", "-ERR syntax error|")
}

func TestDumpOfPlainValues(t *testing.T) {
	c := newContext(t)
	own := c.Server.Engine.ReplicaID()
	do(t, c, "CNEW", "n", "NATURAL")
	do(t, c, "SET", "n", "5")
	do(t, c, "INCRBY", "n", "2")
	do(t, c, "CMERGE", "n", string(tlv.AppendN(nil, tlv.N{{Replica: 9, Total: 3}})))
	n, err := tlv.ParseN([]byte(reparse(t, do(t, c, "CDUMP", "n", "RDX")).(string)))
	if err != nil || n.Value() != tlv.FromInt64(10) || len(n) != 2 {
		t.Errorf("CDUMP n RDX = %v, %v; want two totals, 10 in all", n, err)
	}
	do(t, c, "DECRBY", "z", "3")
	z, err := tlv.ParseZ([]byte(reparse(t, do(t, c, "CDUMP", "z", "rdx")).(string)))
	if err != nil || len(z) != 1 || z[0].Replica != own || z[0].Value != -3 || z[0].Revision <= 0 {
		t.Errorf("CDUMP z RDX = %v, %v; want this replica's -3", z, err)
	}
}

func TestClampUint64(t *testing.T) {
	for _, test := range []struct {
		in   tlv.Int128
		want uint64
	}{{tlv.FromInt64(-1), 0}, {tlv.FromInt64(0), 0}, {tlv.Int128{Lo: math.MaxUint64}, math.MaxUint64}, {tlv.Int128{Hi: 1}, math.MaxUint64}} {
		if got := clampUint64(test.in); got != test.want {
			t.Errorf("clampUint64(%v) = %d; want %d", test.in, got, test.want)
		}
	}
}

// TestPlainValuesGoBothWays: what one server has of plain counters another takes in by either format, and back: that changes nothing
// where it came from, whatever is counted and deleted meanwhile.
func TestPlainValuesGoBothWays(t *testing.T) {
	for seed := range uint64(50) {
		g := rand.New(rand.NewPCG(seed, 7))
		servers := []*Context{newContext(t), newContext(t)}
		key := []string{"z", "n"}[seed%2]
		if seed%2 == 1 {
			do(t, servers[0], "CNEW", "n", "NATURAL")
			do(t, servers[1], "CNEW", "n", "NATURAL")
		}
		value := func(i int) string { return do(t, servers[i], "GET", key) }
		dump := func(i int, format ...string) string {
			reply := do(t, servers[i], append([]string{"CDUMP", key}, format...)...)
			if reply == "$-1\r\n" {
				return ""
			}
			return reparse(t, reply).(string)
		}
		merge := func(i int, payload string) {
			if got := do(t, servers[i], "CMERGE", key, payload); got != "+OK\r\n" {
				t.Fatalf("seed %d: CMERGE = %q; want OK", seed, got)
			}
		}
		format := [][]string{{}, {"RDX"}}[g.IntN(2)] // one for both ways: of two, each would count
		total, revision := uint64(0), int64(0)
		for range 30 {
			i := g.IntN(2)
			switch g.IntN(6) {
			case 0:
				do(t, servers[i], "INCRBY", key, strconv.Itoa(g.IntN(9)))
			case 1: // a device, of which perhaps old things come
				total, revision = total+g.Uint64N(5), revision+1
				if seed%2 == 1 {
					merge(i, string(tlv.AppendN(nil, tlv.N{{Replica: 9, Total: total}})))
				} else {
					merge(i, string(tlv.AppendZ(nil, tlv.Z{{Replica: 9, Revision: revision, Value: int64(g.IntN(100))}})))
				}
			case 2:
				if g.IntN(4) == 0 {
					do(t, servers[i], "DEL", key)
				}
			case 3:
				merge(1-i, dump(i, format...))
			default: // what it has comes back, as it is and by way of another
				was, out := value(i), dump(i, format...)
				merge(i, out)
				merge(1-i, out)
				merge(i, out)
				if got := value(i); got != was {
					t.Fatalf("seed %d: its own CDUMP %s makes %q of %q", seed, format, got, was)
				}
			}
		}
	}
}
