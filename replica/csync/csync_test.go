package csync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/redcon"

	"atomiccounter/tlv"
)

var (
	caller = Request{Version: Version, ID: 1, Life: 11}
	has    = tlv.Vector{{Replica: 2, Stamp: 7, Life: 3, Hash: 5}}
	coded  = string(tlv.AppendVector(nil, has))
)

// TestRequests: the bytes of each request.
func TestRequests(t *testing.T) {
	for want, r := range map[string]interface{ Args() [][]byte }{
		"CSYNC 4 0000000000000001 000000000000000b V BYTES 5": &SyncRequest{Request: caller, Vector: has, Bytes: 5},
		"CSYNC 4 0000000000000001 000000000000000b V BYTES 5 BLOCK 5000 PORT 6380 EXCEPT 0000000000000002 EXCEPT 0000000000000003 FORMER 0000000000000004": &SyncRequest{
			Request: caller, Vector: has, Bytes: 5, Block: 5 * time.Second, Port: 6380, Except: []tlv.ReplicaID{2, 3}, Former: []tlv.ReplicaID{4}},
		"CSNAP 4 0000000000000001 000000000000000b BYTES 5":            &SnapRequest{Request: caller, Bytes: 5},
		"CSNAP 4 0000000000000001 000000000000000b BYTES 5 RESUME s c": &SnapRequest{Request: caller, Bytes: 5, Snapshot: "s", Cursor: []byte("c")},
		"CDIGEST 4 0000000000000001 000000000000000b a b":              &DigestRequest{Request: caller, Keys: []string{"a", "b"}},
	} {
		want = strings.Replace(want, "V", coded, 1)
		if got := string(bytes.Join(r.Args(), []byte(" "))); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

// TestRequestsAsTheyMayBeWritten: options in any order, and names in any case. Of another version nothing is read.
func TestRequestsAsTheyMayBeWritten(t *testing.T) {
	const id, life = "0000000000000001", "000000000000000b"
	for _, test := range []struct {
		args []string
		want SyncRequest
	}{
		{[]string{"4", id, life, coded}, SyncRequest{Request: caller, Vector: has}},
		{[]string{"4", id, life, coded, "except", "0000000000000001", "BYTES", "5", "port", "6380", "EXCEPT", "0000000000000002", "BLOCK", "0", "former", "0000000000000003"},
			SyncRequest{Request: caller, Vector: has, Bytes: 5, Port: 6380, Except: []tlv.ReplicaID{1, 2}, Former: []tlv.ReplicaID{3}}},
		{[]string{"4", id, life, coded, "BLOCK", "9223372036854775807", "PORT", "9223372036854775807"}, SyncRequest{Request: caller, Vector: has, Block: maxBlock * time.Millisecond, Port: 65535}},
		{[]string{"7"}, SyncRequest{Request: Request{Version: 7}}},
		{[]string{"2", "other", "things"}, SyncRequest{Request: Request{Version: 2}}},
	} {
		got, err := ParseSyncRequest(arguments("csync", test.args...))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("CSYNC %q asks %+v, %v; want %+v", test.args, got, err, test.want)
		}
	}
}

func arguments(command string, rest ...string) (args [][]byte) {
	for _, arg := range append([]string{command}, rest...) {
		args = append(args, []byte(arg))
	}
	return args
}

var (
	syncAnswer = SyncAnswer{ID: 0xbb, Life: 1, Clock: 1234, Vector: has, Former: []tlv.ReplicaID{1}, Cluster: tlv.Cluster{Names: []tlv.ClusterID{0xc}, Provisional: true},
		Left: 5, LeftKeys: 6, Batches: [][]byte{[]byte("one"), []byte("\r\n")}}
	stateAnswer  = SyncAnswer{ID: 0xbb, Life: 1, NeedState: true}
	snapAnswer   = SnapAnswer{ID: 0xbb, Snapshot: "s1", Keys: 10, Done: 4, Next: []byte("cur\x00"), Page: []byte("page\r\n")}
	digestAnswer = DigestAnswer{ID: 0xbb, Vector: has, Sums: []uint64{1, 0}}
)

// TestAnswers: the bytes of each answer.
func TestAnswers(t *testing.T) {
	vector, none := fmt.Sprintf("$%d\r\n%s\r\n", len(coded), coded), "$2\r\nv\x00\r\n"
	for want, a := range map[string]interface{ Append([]byte) []byte }{
		"*12\r\n:4\r\n$16\r\n00000000000000bb\r\n$16\r\n0000000000000001\r\n:1234\r\n" + vector + "*1\r\n$16\r\n0000000000000001\r\n*1\r\n$16\r\n000000000000000c\r\n:1\r\n" +
			"$2\r\nok\r\n:5\r\n:6\r\n*2\r\n$3\r\none\r\n$2\r\n\r\n\r\n": &syncAnswer,
		"*12\r\n:4\r\n$16\r\n00000000000000bb\r\n$16\r\n0000000000000001\r\n:0\r\n" + none + "*0\r\n*0\r\n:0\r\n$5\r\nstate\r\n:0\r\n:0\r\n*0\r\n": &stateAnswer,
		"*8\r\n:4\r\n$16\r\n00000000000000bb\r\n$2\r\ns1\r\n" + none + ":10\r\n:4\r\n$4\r\ncur\x00\r\n$6\r\npage\r\n\r\n":                          &snapAnswer,
		"*4\r\n:4\r\n$16\r\n00000000000000bb\r\n" + vector + "$16\r\n\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\r\n":         &digestAnswer,
	} {
		if got := string(a.Append(nil)); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

var parseAnswer = map[string]func([]byte) error{
	"CSYNC":   func(b []byte) error { _, err := ParseSyncAnswer(b); return err },
	"CSNAP":   func(b []byte) error { _, err := ParseSnapAnswer(b); return err },
	"CDIGEST": func(b []byte) error { _, err := ParseDigestAnswer(b); return err },
}

// elements are those of a reply that is an array.
func elements(b []byte) (list []string) {
	_, reply := redcon.ReadNextRESP(b)
	reply.ForEach(func(e redcon.RESP) bool {
		list = append(list, string(e.Raw))
		return true
	})
	return list
}

func array(elements []string) []byte {
	return append(redcon.AppendArray(nil, len(elements)), strings.Join(elements, "")...)
}

func bulk(s string) string { return string(redcon.AppendBulkString(nil, s)) }

// TestAnswersThatAreNone: what a peer may answer instead of what it should. The elements of a good answer are changed one at a time.
func TestAnswersThatAreNone(t *testing.T) {
	good := map[string][]byte{"CSYNC": syncAnswer.Append(nil), "CSNAP": snapAnswer.Append(nil), "CDIGEST": digestAnswer.Append(nil)}
	for command, answer := range good {
		parse, parts := parseAnswer[command], elements(answer)
		if err := parse(answer); err != nil {
			t.Errorf("%s: the good answer: %v", command, err)
		}
		for _, reply := range []string{"", "$-1\r\n", "*-1\r\n", "+OK\r\n", ":2\r\n", "*0\r\n", string(array(parts[1:])), string(array(parts[:3])),
			string(array(append(slices.Clone(parts), bulk("more")))), string(answer) + "x", string(answer[:len(answer)-2]), "*x\r\n", "*1\r\n$9223372036854775807\r\n"} {
			if err := parse([]byte(reply)); !errors.Is(err, ErrReply) {
				t.Errorf("%s: %q: %v; want an error", command, reply, err)
			}
		}
		for _, v := range []int64{0, 1, Version + 1} {
			if err := parse(array([]string{fmt.Sprintf(":%d\r\n", v), bulk("whatever")})); err != error(VersionError(command, v)) {
				t.Errorf("%s: version %d: %v; want that it is not spoken here", command, v, err)
			}
		}
		if err := parse([]byte("-BUSY ask again\r\n")); err != error(Error("BUSY ask again")) {
			t.Errorf("%s: an error is read as %v", command, err)
		}
	}
	id := func(n uint64) string { return bulk(Hex(n)) }
	for _, c := range []struct {
		command string
		element int
		values  []string
	}{
		{"CSYNC", 0, []string{bulk("2")}},
		{"CSYNC", 1, []string{bulk("2"), ":2\r\n", id(0), bulk("000000000000000x"), "$-1\r\n", "$99\r\nx\r\n"}},
		{"CSYNC", 2, []string{bulk("x")}},
		{"CSYNC", 3, []string{bulk("x"), ":-1\r\n", ":-9223372036854775808\r\n"}}, // a clock before 1970 would make an offset that no int64 holds
		{"CSYNC", 4, []string{bulk("x"), "$-1\r\n"}},
		{"CSYNC", 5, []string{bulk("x"), "$-1\r\n", "*-1\r\n", "*1\r\n:1\r\n", "*1\r\n" + id(0)}},
		{"CSYNC", 6, []string{bulk("x"), "*2\r\n" + id(2) + id(1), "*65\r\n" + strings.Repeat(id(1), 65)}},
		{"CSYNC", 7, []string{bulk("x")}},
		{"CSYNC", 8, []string{bulk("maybe")}},
		{"CSYNC", 9, []string{":-1\r\n", bulk("x")}},
		{"CSYNC", 10, []string{":-1\r\n"}},
		{"CSYNC", 11, []string{bulk("x"), "$-1\r\n", "*2\r\n" + bulk("x") + ":1\r\n", "*1\r\n*0\r\n"}},
		{"CDIGEST", 1, []string{id(0)}},
		{"CDIGEST", 2, []string{bulk("x")}},
		{"CDIGEST", 3, []string{bulk("seven b"), ":1\r\n"}},
		{"CSNAP", 1, []string{id(0)}},
		{"CSNAP", 2, []string{bulk(""), "$-1\r\n"}},
		{"CSNAP", 3, []string{bulk("x")}},
		{"CSNAP", 4, []string{":-1\r\n"}},
		{"CSNAP", 5, []string{":-1\r\n"}},
		{"CSNAP", 6, []string{"$-1\r\n"}},
		{"CSNAP", 7, []string{":1\r\n"}},
	} {
		for _, value := range c.values {
			parts := elements(good[c.command])
			parts[c.element] = value
			if err := parseAnswer[c.command](array(parts)); !errors.Is(err, ErrReply) {
				t.Errorf("%s: element %d is %q: %v; want an error", c.command, c.element, value, err)
			}
		}
	}
}

// random are values of a seed.
type random struct{ *rand.Rand }

func (r random) ids() (list []uint64) {
	for range r.IntN(3) {
		list = append(list, r.Uint64()|1)
	}
	slices.Sort(list)
	return list
}

func (r random) bytes() []byte { return binary.LittleEndian.AppendUint64(nil, r.Uint64())[:r.IntN(9)] }

func (r random) request() Request {
	return Request{Version: Version, ID: tlv.ReplicaID(r.Uint64()), Life: r.Uint64()}
}

func (r random) vector() (v tlv.Vector) {
	for _, id := range r.ids() {
		v.Put(tlv.VectorEntry{Replica: tlv.ReplicaID(id), Stamp: tlv.Stamp(r.Uint64()), Life: r.Uint64(), Hash: tlv.Hash(r.Uint64())})
	}
	return v
}

func as[T ~uint64](list []uint64) (all []T) {
	for _, n := range list {
		all = append(all, T(n))
	}
	return all
}

// recode has a value written, read and written again: all three are the same.
func recode[T, Wire any](t *testing.T, v T, write func(*T) Wire, read func(Wire) (T, error)) {
	t.Helper()
	wire := write(&v)
	got, err := read(wire)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", v) {
		t.Errorf("%+v is written as %q, and read as %+v, %v", v, any(wire), got, err)
	}
	if again := write(&got); fmt.Sprint(again) != fmt.Sprint(wire) {
		t.Errorf("%+v is written as %q, and then as %q", v, any(wire), any(again))
	}
}

func write[T interface{ Append([]byte) []byte }](v T) []byte { return v.Append(nil) }

// FuzzCodec: what is written is what is read, for values of a seed and for what is read of arbitrary bytes.
func FuzzCodec(f *testing.F) {
	for _, wire := range [][]byte{syncAnswer.Append(nil), stateAnswer.Append(nil), snapAnswer.Append(nil), digestAnswer.Append(nil), []byte("-BUSY\r\n"), nil} {
		f.Add(uint64(1), wire)
	}
	for _, r := range []interface{ Args() [][]byte }{&SyncRequest{Request: caller, Vector: has, Block: time.Second, Port: 5, Except: []tlv.ReplicaID{1}, Former: []tlv.ReplicaID{2}},
		&SnapRequest{Request: caller, Snapshot: "s", Cursor: []byte("c")}, &DigestRequest{Request: caller, Keys: []string{"k"}}} {
		f.Add(uint64(2), bytes.Join(r.Args(), []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		r := random{rand.New(rand.NewPCG(seed, 0))}
		recode(t, SyncRequest{r.request(), r.vector(), as[tlv.ReplicaID](r.ids()), as[tlv.ReplicaID](r.ids()), r.Int64(), r.Int64N(1 << 16), time.Duration(r.Int64N(maxBlock)) * time.Millisecond},
			(*SyncRequest).Args, ParseSyncRequest)
		recode(t, SnapRequest{r.request(), string(r.bytes()), r.bytes(), r.Int64()}, (*SnapRequest).Args, ParseSnapRequest)
		recode(t, DigestRequest{r.request(), []string{string(r.bytes()), string(r.bytes())}}, (*DigestRequest).Args, ParseDigestRequest)
		recode(t, SyncAnswer{tlv.ReplicaID(r.Uint64() | 1), r.Uint64(), r.Int64(), r.vector(), as[tlv.ReplicaID](r.ids()), tlv.Cluster{Names: as[tlv.ClusterID](r.ids()), Provisional: r.IntN(2) == 0},
			r.IntN(2) == 0, r.Int64(), r.Int64(), [][]byte{r.bytes(), r.bytes()}}, write[*SyncAnswer], ParseSyncAnswer)
		recode(t, SnapAnswer{tlv.ReplicaID(r.Uint64() | 1), "s" + string(r.bytes()), r.vector(), r.Int64(), r.Int64(), r.bytes(), r.bytes()}, write[*SnapAnswer], ParseSnapAnswer)
		recode(t, DigestAnswer{tlv.ReplicaID(r.Uint64() | 1), r.vector(), r.ids()}, write[*DigestAnswer], ParseDigestAnswer)

		if v, err := ParseSyncAnswer(data); err == nil {
			recode(t, v, write[*SyncAnswer], ParseSyncAnswer)
		}
		if v, err := ParseSnapAnswer(data); err == nil {
			recode(t, v, write[*SnapAnswer], ParseSnapAnswer)
		}
		if v, err := ParseDigestAnswer(data); err == nil {
			recode(t, v, write[*DigestAnswer], ParseDigestAnswer)
		}
		args := bytes.Split(data, []byte("\n"))
		if len(args) < 2 { // which the command table refuses
			return
		}
		if v, err := ParseSyncRequest(args); err == nil && v.Version == Version {
			recode(t, v, (*SyncRequest).Args, ParseSyncRequest)
		}
		if v, err := ParseSnapRequest(args); err == nil && v.Version == Version {
			recode(t, v, (*SnapRequest).Args, ParseSnapRequest)
		}
		if v, err := ParseDigestRequest(args); err == nil && v.Version == Version {
			recode(t, v, (*DigestRequest).Args, ParseDigestRequest)
		}
	})
}
