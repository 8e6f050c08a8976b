package replica

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// What a peer may answer instead of what it should. The elements of a good answer are changed one at a time.
func TestAnswersThatAreNone(t *testing.T) {
	sync, snap := answerOf(news(2, batch(theirs, 10, 20))), page(5, "c")
	parse := map[string]func(any) error{
		"CSYNC":   func(reply any) error { _, err := parseSync(reply); return err },
		"CSNAP":   func(reply any) error { _, err := parseSnap(reply); return err },
		"CDIGEST": func(reply any) error { _, err := parseDigest(reply); return err },
	}
	good := map[string]func() []any{"CSYNC": func() []any { return syncValues(&sync) }, "CSNAP": func() []any { return snapValues(&snap) },
		"CDIGEST": func() []any {
			return digestValues(&engine.DigestAnswer{ID: theirs, Vector: peerHas(), Sums: []uint64{1, 2}})
		}}
	for command, values := range good {
		if err := parse[command](values()); err != nil {
			t.Errorf("%s: the good answer: %v", command, err)
		}
		for _, reply := range []any{nil, "OK", int64(2), []any{}, values()[1:], values()[:3], append(values(), "more")} {
			if err := parse[command](reply); !errors.Is(err, errReply) {
				t.Errorf("%s: %v: %v; want an error", command, reply, err)
			}
		}
		for _, v := range []int64{0, 1, Version + 1} {
			reply := []any{v, "whatever"}
			if err := parse[command](reply); err != error(versionError(command, v)) {
				t.Errorf("%s: version %d: %v; want that it is not spoken here", command, v, err)
			}
		}
	}
	for _, c := range []struct {
		command string
		element int
		value   any
	}{
		{"CSYNC", 0, "2"},
		{"CSYNC", 1, "2"}, {"CSYNC", 1, int64(2)}, {"CSYNC", 1, hex(0)}, {"CSYNC", 1, "000000000000000x"},
		{"CSYNC", 2, "x"}, {"CSYNC", 3, "x"}, {"CSYNC", 4, "x"}, {"CSYNC", 4, nil},
		{"CSYNC", 5, "x"}, {"CSYNC", 5, nil}, {"CSYNC", 5, []any{int64(1)}}, {"CSYNC", 5, []any{hex(0)}},
		{"CSYNC", 6, "x"}, {"CSYNC", 6, []any{hex(2), hex(1)}}, {"CSYNC", 7, "x"},
		{"CSYNC", 8, "maybe"}, {"CSYNC", 9, int64(-1)}, {"CSYNC", 9, "x"}, {"CSYNC", 10, int64(-1)},
		{"CSYNC", 11, "x"}, {"CSYNC", 11, nil}, {"CSYNC", 11, []any{"x", int64(1)}}, {"CSYNC", 11, []any{[]any{}}},
		{"CDIGEST", 1, hex(0)}, {"CDIGEST", 2, "x"}, {"CDIGEST", 3, "seven b"}, {"CDIGEST", 3, int64(1)},
		{"CSNAP", 1, hex(0)}, {"CSNAP", 2, ""}, {"CSNAP", 2, nil}, {"CSNAP", 3, "x"},
		{"CSNAP", 4, int64(-1)}, {"CSNAP", 5, int64(-1)}, {"CSNAP", 6, nil}, {"CSNAP", 7, int64(1)},
	} {
		reply := good[c.command]()
		reply[c.element] = c.value
		if err := parse[c.command](reply); !errors.Is(err, errReply) {
			t.Errorf("%s: element %d is %#v: %v; want an error", c.command, c.element, c.value, err)
		}
	}
}

// answerOf is what the peer has answered, its batches included.
func answerOf(s Synced) engine.SyncAnswer {
	a := s.Answer
	for i := range s.Batches {
		a.Batches = append(a.Batches, tlv.AppendBatch(nil, &s.Batches[i]))
	}
	return a
}

// Of batches that are none those before them are kept.
func TestAnswersWithBadBatches(t *testing.T) {
	one := batch(theirs, 10, 20)
	for _, bad := range []string{"hello", "", string(tlv.AppendBatch(nil, &one)) + "x"} {
		answer := answerOf(news(0, one))
		answer.Batches = append(answer.Batches, []byte(bad), answer.Batches[0])
		got, err := parseSync(syncValues(&answer))
		if err != nil || got.Err == nil || len(got.Batches) != 1 || got.Batches[0].Stamp != one.Stamp {
			t.Errorf("%q after a batch: %v, %v, %d batches; want that one, and an error of what follows it", bad, err, got.Err, len(got.Batches))
		}
	}
}

// What is written is what is read.
func TestAnswers(t *testing.T) {
	sync, snap := news(2, batch(theirs, 10, 20), batch(third, 10, 20)), page(5, "c")
	sync.Answer.LeftKeys, sync.Answer.Clock = 7, 123
	sync.Answer.Former = []tlv.ReplicaID{third, 7}
	for range 2 {
		sync.Answer.NeedState = !sync.Answer.NeedState
		answer := answerOf(sync)
		if got, err := parseSync(syncValues(&answer)); err != nil || fmt.Sprint(got) != fmt.Sprint(sync) {
			t.Errorf("parseSync = %+v, %v; want %+v", got, err, sync)
		}
	}
	if got, err := parseSnap(snapValues(&snap)); err != nil || fmt.Sprint(got) != fmt.Sprint(snap) {
		t.Errorf("parseSnap = %+v, %v; want %+v", got, err, snap)
	}
}

func TestCursors(t *testing.T) {
	for _, done := range []int64{0, 1, 127, 128, 1 << 62} {
		cursor := wrapCursor(done, []byte("next"))
		if n, next, err := unwrapCursor(cursor); n != done || string(next) != "next" || err != nil {
			t.Errorf("%d keys and \"next\" come back as %d, %q, %v", done, n, next, err)
		}
	}
	if got := wrapCursor(5, nil); got != nil {
		t.Errorf("wrapCursor(5, nil) = %q; want none: that was the last page", got)
	}
	if n, next, err := unwrapCursor(nil); n != 0 || next != nil || err != nil {
		t.Errorf("unwrapCursor(nil) = %d, %q, %v; want the beginning", n, next, err)
	}
	for _, bad := range [][]byte{{0x80}, {5}, wrapCursor(1<<62+1, []byte("x")), bytes.Repeat([]byte{0xff}, 20)} {
		var reply engine.PeerError
		if _, _, err := unwrapCursor(bad); !errors.As(err, &reply) {
			t.Errorf("unwrapCursor(% x) = %v; want an error that is a reply", bad, err)
		}
	}
}

// The arguments of requests are what the commands of the peer read.
func TestArgs(t *testing.T) {
	v := peerHas()
	for _, c := range []struct {
		args []any
		want string
	}{
		{syncArgs(&engine.SyncRequest{Version: Version, ID: mine, Life: 11, Vector: v, Bytes: 5}, 0),
			"CSYNC 4 0000000000000001 000000000000000b V BYTES 5"},
		{syncArgs(&engine.SyncRequest{Version: Version, ID: mine, Life: 11, Vector: v, Bytes: 5, Port: 6380, Except: []tlv.ReplicaID{2, 3}, Former: []tlv.ReplicaID{4}}, blockTime),
			"CSYNC 4 0000000000000001 000000000000000b V BYTES 5 BLOCK 5000 PORT 6380 EXCEPT 0000000000000002 EXCEPT 0000000000000003 FORMER 0000000000000004"},
		{digestArgs(&engine.DigestRequest{Version: Version, ID: mine, Life: 11, Keys: []string{"a", "b"}}), "CDIGEST 4 0000000000000001 000000000000000b a b"},
		{snapArgs(&engine.SnapRequest{Version: Version, ID: mine, Life: 11, Bytes: 5}), "CSNAP 4 0000000000000001 000000000000000b BYTES 5"},
		{snapArgs(&engine.SnapRequest{Version: Version, ID: mine, Life: 11, Bytes: 5, Snapshot: "s", Cursor: []byte("c")}),
			"CSNAP 4 0000000000000001 000000000000000b BYTES 5 RESUME s c"},
	} {
		got := fmt.Appendf(nil, "%s", c.args[0])
		for _, arg := range c.args[1:] {
			if b, ok := arg.([]byte); ok && bytes.Equal(b, tlv.AppendVector(nil, v)) {
				arg = "V"
			} else if ok {
				arg = string(b)
			}
			got = fmt.Append(append(got, ' '), arg)
		}
		if string(got) != c.want {
			t.Errorf("%s; want %s", got, c.want)
		}
	}
}

// A clock before 1970 would make an offset that no int64 holds.
func TestAnswerOfABadClock(t *testing.T) {
	answer := func(clock int64) any {
		return []any{int64(Version), "0000000000000001", "0000000000000002", clock, "v\x00", []any{}, []any{}, int64(1), "ok", int64(0), int64(0), []any{}}
	}
	if a, err := parseSync(answer(0)); err != nil || a.Answer.Clock != 0 {
		t.Errorf("parseSync of clock 0 = %+v, %v", a, err)
	}
	for _, clock := range []int64{-1, -1 << 63} {
		if a, err := parseSync(answer(clock)); !errors.Is(err, errReply) {
			t.Errorf("parseSync of clock %d = %+v, %v; want an error", clock, a, err)
		}
	}
}
