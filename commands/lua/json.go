package lua

import (
	"fmt"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// jsonOptions are those of cjson. Unlike Redis's, they go back to their defaults with the script that has set them.
type jsonOptions struct {
	encodeDepth, decodeDepth int
	precision                int
	sparseConvert            bool
	sparseRatio, sparseSafe  int
	encodeInvalid            int // a choice of encode_invalid_numbers
	decodeInvalid            bool
	keepBuffer               bool
}

var defaultJSON = jsonOptions{encodeDepth: 1000, decodeDepth: 1000, precision: 14, sparseRatio: 2, sparseSafe: 10,
	decodeInvalid: true, keepBuffer: true}

// The choices of encode_invalid_numbers.
const (
	off = iota
	on
	asNull
)

func (s *state) openJSON() {
	integer := func(lo, hi int, at func(*jsonOptions) *int) builtin {
		return func(L *lua.LState) int {
			atMost(L, 1)
			return jsonInteger(L, 1, lo, hi, at(&s.json))
		}
	}
	t := s.library("cjson", map[string]builtin{
		"encode": s.jsonEncode, "decode": s.jsonDecode,
		"encode_max_depth":        integer(1, math.MaxInt32, func(o *jsonOptions) *int { return &o.encodeDepth }),
		"decode_max_depth":        integer(1, math.MaxInt32, func(o *jsonOptions) *int { return &o.decodeDepth }),
		"encode_number_precision": integer(1, 14, func(o *jsonOptions) *int { return &o.precision }),
		"encode_keep_buffer":      func(L *lua.LState) int { atMost(L, 1); return jsonBool(L, 1, &s.json.keepBuffer) },
		"decode_invalid_numbers":  func(L *lua.LState) int { atMost(L, 1); return jsonBool(L, 1, &s.json.decodeInvalid) },
		"encode_invalid_numbers":  s.jsonInvalid,
		"encode_sparse_array":     s.jsonSparse,
		"new":                     func(L *lua.LState) int { return push(L, s.globals.RawGetString("cjson")) },
	})
	t.RawSetString("null", s.null)
	t.RawSetString("_NAME", lua.LString("cjson"))
	t.RawSetString("_VERSION", lua.LString("2.1.0"))
}

// atMost also makes the arguments n, the missing ones nil.
func atMost(L *lua.LState, n int) {
	if L.GetTop() > n {
		argError(L, n+1, "found too many arguments")
	}
	L.SetTop(n)
}

func jsonInteger(L *lua.LState, n, lo, hi int, option *int) int {
	if L.Get(n) != lua.LNil {
		v := checkInt(L, n)
		if v < lo || v > hi {
			argError(L, 1, fmt.Sprintf("expected integer between %d and %d", lo, hi))
		}
		*option = v
	}
	return push(L, lua.LNumber(*option))
}

func jsonBool(L *lua.LState, n int, option *bool) int {
	switch v := L.Get(n).(type) {
	case lua.LBool:
		*option = bool(v)
	case *lua.LNilType:
	case lua.LString:
		switch v {
		case "on", "off":
			*option = v == "on"
		default:
			argError(L, n, "invalid option '"+string(v)+"'")
		}
	default:
		typeError(L, n, "string")
	}
	return push(L, lua.LBool(*option))
}

func (s *state) jsonInvalid(L *lua.LState) int {
	atMost(L, 1)
	if L.Get(1) == lua.LString("null") {
		s.json.encodeInvalid = asNull
	} else {
		b := s.json.encodeInvalid == on
		before := b
		jsonBool(L, 1, &b)
		L.Pop(1)
		if L.Get(1) != lua.LNil || b != before {
			s.json.encodeInvalid = off
			if b {
				s.json.encodeInvalid = on
			}
		}
	}
	if s.json.encodeInvalid == asNull {
		return push(L, lua.LString("null"))
	}
	return push(L, lua.LBool(s.json.encodeInvalid == on))
}

func (s *state) jsonSparse(L *lua.LState) int {
	atMost(L, 3)
	jsonBool(L, 1, &s.json.sparseConvert)
	jsonInteger(L, 2, 0, math.MaxInt32, &s.json.sparseRatio)
	jsonInteger(L, 3, 0, math.MaxInt32, &s.json.sparseSafe)
	return 3
}
