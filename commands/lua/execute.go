package lua

import (
	"errors"
	"strconv"

	"atomiccounter/commands/resp"

	lua "github.com/yuin/gopher-lua"
)

// execute runs a script in a state that is ready for it, and appends the reply.
func (s *state) execute(sc *Script, out []byte) []byte {
	w := &writer{s: s, out: resp.Reply{Buf: out, Proto: s.call.RESP}, most: len(out) + maxReply}
	v, err := s.protected(sc)
	if s.fault != nil {
		panic(s.fault) // of a command: the interpreter must not hide it
	}
	if err != nil {
		w.failure(sc, s.thrown(err))
	} else {
		w.value(v)
	}
	switch why := s.watch.Err(); {
	case err == nil && why != nil:
		w.out.Buf = out
		w.error("ERR " + why.Error())
	case len(w.out.Buf) > w.most: // a table that is small itself may say the same a million times
		w.out.Buf = out
		w.error("ERR " + errMemory.Error())
	}
	return w.out.Buf
}

// maxReply bounds the reply of a script, in bytes.
const maxReply = 256 << 20

// protected runs a script. The interpreter panics where its registers are at an end, even while it handles that.
func (s *state) protected(sc *Script) (v lua.LValue, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.used, err = true, errOverflow
		}
	}()
	L := s.lua
	s.main.Proto = sc.proto
	L.Push(s.main)
	if err := L.PCall(0, 1, s.handler); err != nil {
		return nil, err
	}
	v = L.Get(-1)
	L.SetTop(0)
	return v, nil
}

var errOverflow = errors.New("stack overflow")

// located makes a table of what was thrown, with the line where; it runs before the stack is unwound.
func (s *state) located(L *lua.LState) int {
	v := s.words(L.Get(1))
	t, ok := v.(*lua.LTable)
	if !ok {
		text, ok := asText(v)
		if !ok {
			text = v.String()
		}
		if why := s.watch.Err(); why != nil {
			text = why.Error() // not with the place in front
		}
		t = errorTable(L, "ERR "+text)
	}
	for level := 1; level <= 2; level++ {
		frame, ok := L.GetStack(level)
		if !ok {
			break
		}
		if _, err := L.GetInfo("Sl", frame, lua.LNil); err != nil || frame.CurrentLine <= 0 || frame.Source == "" {
			continue
		}
		if s.hidden[t] == nil {
			t.RawSetString("source", lua.LString("@"+frame.Source))
			t.RawSetString("line", lua.LNumber(frame.CurrentLine))
		}
		break
	}
	return push(L, t)
}

// failure replies what a script has thrown.
func (w *writer) failure(sc *Script, v lua.LValue) {
	t, ok := v.(*lua.LTable)
	if !ok {
		text, _ := asText(v)
		w.error("ERR Error running script " + sc.SHA + ", " + text)
		return
	}
	text, ok := asText(t.RawGetString("err"))
	if text = cString(text); !ok {
		text = "ERR unknown error"
	}
	source, ok := asText(t.RawGetString("source"))
	line, also := t.RawGetString("line").(lua.LNumber)
	if ok && also {
		text += " script: " + sc.SHA + ", on " + source + ":" + strconv.Itoa(int(line)) + "."
	}
	w.error(text)
}

// forget lets go of what the last script has left.
func (s *state) forget() {
	s.lua.SetTop(0)
	s.call = nil
	s.main.Proto = nil
	s.keys.clear()
	s.argv.clear()
	s.numbers = s.numbers[:0]
	clear(s.args[:cap(s.args)])
}
