package lua

import (
	"strings"

	"atomiccounter/commands/resp"

	lua "github.com/yuin/gopher-lua"
)

// writer writes values of Lua as replies.
type writer struct {
	s     *state
	out   resp.Reply
	depth int
	most  int // bytes of out; beyond it nothing is written any more
}

// maxReplyDepth is how deep tables may nest in a reply.
const maxReplyDepth = 1000

func (w *writer) value(v lua.LValue) {
	if len(w.out.Buf) > w.most || w.s.watch.Err() != nil {
		return
	}
	switch v := v.(type) {
	case lua.LString:
		w.out.BulkString(string(v))
	case lua.LNumber:
		w.out.Int(toInt64(float64(v)))
	case lua.LBool:
		w.bool(bool(v))
	case *lua.LTable:
		w.table(w.s.behind(v))
	default:
		w.out.Null()
	}
}

// bool: in RESP2, as a script sees it, false is what is not there.
func (w *writer) bool(b bool) {
	switch {
	case w.s.resp == 3 && w.out.Proto == 3:
		w.out.Buf = resp.AppendBool(w.out.Buf, b)
	case b || w.s.resp == 3:
		w.out.Bool(b)
	default:
		w.out.Null()
	}
}

func (w *writer) table(t *lua.LTable) {
	if w.depth++; w.depth > maxReplyDepth {
		w.depth--
		w.out.Error("ERR reached lua stack limit")
		return
	}
	defer func() { w.depth-- }()
	if text, ok := asText(t.RawGetString("err")); ok {
		w.error(text)
		return
	}
	if text, ok := asText(t.RawGetString("ok")); ok {
		w.out.Status(cString(text))
		return
	}
	if f, ok := t.RawGetString("double").(lua.LNumber); ok {
		w.out.Double(float64(f))
		return
	}
	if m, ok := t.RawGetString("map").(*lua.LTable); ok {
		w.mapping(m)
		return
	}
	if m, ok := t.RawGetString("set").(*lua.LTable); ok {
		w.set(m)
		return
	}
	if text, ok := asText(t.RawGetString("big_number")); ok {
		w.out.BigNumber(strings.NewReplacer("\r", " ", "\n", " ").Replace(text))
		return
	}
	if v, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		if w.verbatim(v) {
			return
		}
	}
	w.array(t)
}

func (w *writer) error(text string) { w.out.Error(cString(text)) }

// array ends at the first nil.
func (w *writer) array(t *lua.LTable) {
	n := 0
	for ; t.RawGetInt(n+1) != lua.LNil; n++ {
	}
	w.out.Array(n)
	for i := 1; i <= n; i++ {
		w.value(t.RawGetInt(i))
	}
}

func (w *writer) mapping(t *lua.LTable) {
	w.out.Map(size(t))
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		w.value(k)
		w.value(v)
	}
}

func (w *writer) set(t *lua.LTable) {
	w.out.Set(size(t))
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		w.value(k)
	}
}

func size(t *lua.LTable) (n int) {
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		n++
	}
	return n
}

// verbatim says whether t is a text with its format.
func (w *writer) verbatim(t *lua.LTable) bool {
	format, ok := t.RawGetString("format").(lua.LString)
	text, also := t.RawGetString("string").(lua.LString)
	if !ok || !also {
		return false
	}
	w.out.Verbatim((string(format) + "   ")[:3], string(text))
	return true
}
