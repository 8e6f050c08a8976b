package lua

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// writer writes values of Lua as replies.
type writer struct {
	s     *state
	buf   []byte
	resp  int // of the client
	depth int
	most  int // bytes of buf; beyond it nothing is written any more
}

// maxReplyDepth is how deep tables may nest in a reply.
const maxReplyDepth = 1000

func (w *writer) line(mark byte, text string) {
	w.buf = append(w.buf, mark)
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

func (w *writer) head(mark byte, n int) { w.line(mark, strconv.Itoa(n)) }

func (w *writer) null() {
	if w.resp == 3 {
		w.buf = append(w.buf, "_\r\n"...)
	} else {
		w.buf = append(w.buf, "$-1\r\n"...)
	}
}

func (w *writer) bulk(text string) {
	w.head('$', len(text))
	w.buf = append(append(w.buf, text...), '\r', '\n')
}

func (w *writer) value(v lua.LValue) {
	if len(w.buf) > w.most || w.s.watch.Err() != nil {
		return
	}
	switch v := v.(type) {
	case lua.LString:
		w.bulk(string(v))
	case lua.LNumber:
		w.line(':', strconv.FormatInt(toInt64(float64(v)), 10))
	case lua.LBool:
		w.bool(bool(v))
	case *lua.LTable:
		w.table(w.s.behind(v))
	default:
		w.null()
	}
}

// bool: in RESP2, as a script sees it, false is what is not there.
func (w *writer) bool(b bool) {
	switch {
	case w.s.resp == 3 && w.resp == 3 && b:
		w.line('#', "t")
	case w.s.resp == 3 && w.resp == 3:
		w.line('#', "f")
	case b:
		w.line(':', "1")
	case w.s.resp == 3:
		w.line(':', "0")
	default:
		w.null()
	}
}

func (w *writer) table(t *lua.LTable) {
	if w.depth++; w.depth > maxReplyDepth {
		w.depth--
		w.line('-', "ERR reached lua stack limit")
		return
	}
	defer func() { w.depth-- }()
	if text, ok := asText(t.RawGetString("err")); ok {
		w.error(text)
		return
	}
	if text, ok := asText(t.RawGetString("ok")); ok {
		w.line('+', oneLine(cString(text)))
		return
	}
	if f, ok := t.RawGetString("double").(lua.LNumber); ok {
		w.double(float64(f))
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
		w.bigNumber(oneLine(text))
		return
	}
	if v, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		if w.verbatim(v) {
			return
		}
	}
	w.array(t)
}

func (w *writer) error(text string) { w.line('-', oneLine(strings.TrimRight(cString(text), "\r\n"))) }

// oneLine makes line ends spaces.
func oneLine(text string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(text) }

// array ends at the first nil.
func (w *writer) array(t *lua.LTable) {
	n := 0
	for ; t.RawGetInt(n+1) != lua.LNil; n++ {
	}
	w.head('*', n)
	for i := 1; i <= n; i++ {
		w.value(t.RawGetInt(i))
	}
}

func (w *writer) mapping(t *lua.LTable) {
	n := size(t)
	if w.resp == 3 {
		w.head('%', n)
	} else {
		w.head('*', 2*n)
	}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		w.value(k)
		w.value(v)
	}
}

func (w *writer) set(t *lua.LTable) {
	if w.resp == 3 {
		w.head('~', size(t))
	} else {
		w.head('*', size(t))
	}
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

func (w *writer) double(f float64) {
	text := formatG(f, 17)
	if math.IsNaN(f) {
		text = "nan"
	}
	if w.resp == 3 {
		w.line(',', text)
	} else {
		w.bulk(text)
	}
}

func (w *writer) bigNumber(text string) {
	if w.resp == 3 {
		w.line('(', text)
	} else {
		w.bulk(text)
	}
}

// verbatim says whether t is a text with its format.
func (w *writer) verbatim(t *lua.LTable) bool {
	format, ok := t.RawGetString("format").(lua.LString)
	text, also := t.RawGetString("string").(lua.LString)
	if !ok || !also {
		return false
	}
	if w.resp != 3 {
		w.bulk(string(text))
		return true
	}
	w.head('=', len(text)+4)
	w.buf = append(w.buf, (string(format) + "   ")[:3]...)
	w.buf = append(append(append(w.buf, ':'), text...), '\r', '\n')
	return true
}
