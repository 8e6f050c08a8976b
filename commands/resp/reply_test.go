package resp

import (
	"math"
	"strings"
	"testing"
)

// TestReplyShapes writes every shape in both protocols.
func TestReplyShapes(t *testing.T) {
	for _, test := range []struct {
		name         string
		write        func(r *Reply)
		resp2, resp3 string
	}{
		{"Int", func(r *Reply) { r.Int(math.MinInt64) }, ":-9223372036854775808|", ":-9223372036854775808|"},
		{"Bool", func(r *Reply) { r.Bool(true); r.Bool(false) }, ":1|:0|", ":1|:0|"},
		{"Status", func(r *Reply) { r.OK() }, "+OK|", "+OK|"},
		{"Error", func(r *Reply) { r.Error("ERR a\r\nb\r\n") }, "-ERR a  b|", "-ERR a  b|"},
		{"Bulk", func(r *Reply) { r.Bulk([]byte("a\x00b")) }, "$3|a\x00b|", "$3|a\x00b|"},
		{"BulkInt", func(r *Reply) { r.BulkInt(-10) }, "$3|-10|", "$3|-10|"},
		{"Null", func(r *Reply) { r.Null() }, "$-1|", "_|"},
		{"NullArray", func(r *Reply) { r.NullArray() }, "*-1|", "_|"},
		{"Array", func(r *Reply) { r.Array(2) }, "*2|", "*2|"},
		{"Map", func(r *Reply) { r.Map(2) }, "*4|", "%2|"},
		{"Set", func(r *Reply) { r.Set(2) }, "*2|", "~2|"},
		{"Verbatim", func(r *Reply) { r.Verbatim("txt", "hi") }, "$2|hi|", "=6|txt:hi|"},
		{"BigNumber", func(r *Reply) { r.BigNumber("12") }, "$2|12|", "(12|"},
		{"Push", func(r *Reply) { r.Push(2) }, "*2|", ">2|"},
		{"booleans", func(r *Reply) { r.Buf = AppendBool(AppendBool(r.Buf, true), false) }, "#t|#f|", "#t|#f|"},
		{"Double", func(r *Reply) { r.Double(0.5) }, "$3|0.5|", ",0.5|"},
		{"infinity", func(r *Reply) { r.Double(math.Inf(-1)) }, "$4|-inf|", ",-inf|"},
		{"no number", func(r *Reply) { r.Double(math.NaN()) }, "$3|nan|", ",nan|"},
	} {
		for proto, want := range map[int]string{2: test.resp2, 3: test.resp3} {
			r := Reply{Proto: proto}
			test.write(&r)
			if got := strings.ReplaceAll(string(r.Buf), "\r\n", "|"); got != want {
				t.Errorf("%s in RESP%d = %q; want %q", test.name, proto, got, want)
			}
		}
	}
}
