package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *state) loadString(L *lua.LState) int {
	text := checkText(L, 1)
	return s.compile(L, text, optText(L, 2, text))
}

// load takes the text piece by piece.
func (s *state) load(L *lua.LState) int {
	more := checkFunction(L, 1)
	name := optText(L, 2, "=(load)")
	var b strings.Builder
	for {
		L.Push(more)
		s.invoke(L, 0, 1)
		piece := L.Get(-1)
		L.Pop(1)
		text, ok := asText(piece)
		switch {
		case piece == lua.LNil || ok && text == "":
			return s.compile(L, b.String(), name)
		case !ok:
			return push(L, lua.LNil, lua.LString("reader function must return a string"))
		}
		room(L, b.Len()+len(text))
		b.WriteString(text)
	}
}

func (s *state) compile(L *lua.LState, text, name string) int {
	if strings.HasPrefix(text, "\x1b") {
		return push(L, lua.LNil, lua.LString(chunkName(name)+": bad code in precompiled chunk"))
	}
	if len(text) > maxText {
		return push(L, lua.LNil, lua.LString(errTextLong.Error()))
	}
	proto, err := compileText(text, chunkName(name))
	if err != nil {
		return push(L, lua.LNil, lua.LString(err.Error()))
	}
	return push(L, L.NewFunctionFromProto(proto))
}

// chunkName is what messages call a piece of code.
func chunkName(name string) string {
	if name != "" && (name[0] == '=' || name[0] == '@') {
		return name[1:]
	}
	line, _, more := strings.Cut(name, "\n")
	if const_ := 60; len(line) > const_-len(`[string "..."]`)-1 {
		line, more = line[:const_-len(`[string "..."]`)-1], true
	}
	if more {
		line += "..."
	}
	return `[string "` + line + `"]`
}
