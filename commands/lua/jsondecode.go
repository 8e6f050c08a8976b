package lua

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// jsonDecoder reads as lua-cjson does, its errors included: they name tokens of its C code.
type jsonDecoder struct {
	s     *state
	lua   *lua.LState
	text  string
	at    int
	depth int
}

func (s *state) jsonDecode(L *lua.LState) int {
	if L.GetTop() != 1 {
		argError(L, 1, "expected 1 argument")
	}
	d := jsonDecoder{s: s, lua: L, text: checkText(L, 1)}
	if len(d.text) >= 2 && (d.text[0] == 0 || d.text[1] == 0) {
		raise(L, "JSON parser does not support UTF-16 or UTF-32")
	}
	v := d.value(d.next())
	if t := d.next(); t.kind != "T_END" {
		d.expected("the end", t)
	}
	return push(L, v)
}

func (d *jsonDecoder) expected(what string, t jsonToken) {
	raise(d.lua, fmt.Sprintf("Expected %s but found %s at character %d", what, t.kind, t.at+1))
}

func (d *jsonDecoder) value(t jsonToken) lua.LValue {
	if !t.wrong {
		switch t.kind {
		case "T_STRING", "T_NUMBER", "T_BOOLEAN", "T_NULL":
			return t.value
		case "T_OBJ_BEGIN":
			return d.object()
		case "T_ARR_BEGIN":
			return d.array()
		}
	}
	d.expected("value", t)
	return nil
}

func (d *jsonDecoder) descend() {
	if d.depth++; d.depth > d.s.json.decodeDepth {
		raise(d.lua, fmt.Sprintf("Found too many nested data structures (%d) at character %d", d.depth, d.at))
	}
	d.s.check(d.lua)
}

func (d *jsonDecoder) object() lua.LValue {
	d.descend()
	defer func() { d.depth-- }()
	o := d.lua.NewTable()
	t := d.next()
	if t.kind == "T_OBJ_END" {
		return o
	}
	for {
		if t.kind != "T_STRING" {
			d.expected("object key string", t)
		}
		key := t.value
		if t = d.next(); t.kind != "T_COLON" {
			d.expected("colon", t)
		}
		o.RawSet(key, d.value(d.next()))
		switch t = d.next(); t.kind {
		case "T_OBJ_END":
			return o
		case "T_COMMA":
			t = d.next()
		default:
			d.expected("comma or object end", t)
		}
	}
}

func (d *jsonDecoder) array() lua.LValue {
	d.descend()
	defer func() { d.depth-- }()
	a := d.lua.NewTable()
	t := d.next()
	if t.kind == "T_ARR_END" {
		return a
	}
	for i := 1; ; i++ {
		a.RawSetInt(i, d.value(t))
		switch t = d.next(); t.kind {
		case "T_ARR_END":
			return a
		case "T_COMMA":
			t = d.next()
		default:
			d.expected("comma or array end", t)
		}
	}
}
