package lua

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// The version that scripts see is the one of INFO.
const (
	redisVersion    = "7.4.0"
	redisVersionNum = 7<<16 + 4<<8
)

// LogLevels are those of redis.log, from LOG_DEBUG on.
const logLevels = 4

func (s *state) openRedis() {
	t := s.library("redis", map[string]builtin{
		"call": s.redisCall, "pcall": s.redisPcall, "error_reply": errorReply, "status_reply": statusReply, "sha1hex": sha1Hex,
		"log": s.log, "setresp": s.setResp, "set_repl": setRepl, "acl_check_cmd": s.aclCheck,
		"replicate_commands": func(L *lua.LState) int { return push(L, lua.LTrue) },
		"breakpoint":         func(L *lua.LState) int { return push(L, lua.LFalse) },
		"debug":              func(*lua.LState) int { return 0 },
	})
	for name, n := range map[string]int{"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3, "REDIS_VERSION_NUM": redisVersionNum} {
		t.RawSetString(name, lua.LNumber(n))
	}
	t.RawSetString("REDIS_VERSION", lua.LString(redisVersion))
}

// errorTable is an error as redis.call throws it.
func errorTable(L *lua.LState, line string) *lua.LTable {
	return field(L, "err", lua.LString(line))
}

// throwError throws an error of the kind ERR.
func throwError(L *lua.LState, msg string) { throw(L, errorTable(L, "ERR "+msg)) }

func (s *state) redisCall(L *lua.LState) int {
	v := s.run(L)
	if t, ok := v.(*lua.LTable); ok && t.RawGetString("err") != lua.LNil {
		throw(L, t)
	}
	return push(L, v)
}

func (s *state) redisPcall(L *lua.LState) int { return push(L, s.run(L)) }

// run runs a command and gives its reply as a value of Lua.
func (s *state) run(L *lua.LState) lua.LValue {
	args, bad := s.arguments(L)
	if bad != nil {
		return bad
	}
	raw := s.do(args)
	v, _ := s.fromReply(L, raw)
	return v
}

// do runs a command, and remembers its panic.
func (s *state) do(args [][]byte) []byte {
	defer func() {
		if r := recover(); r != nil {
			s.fault = r
			panic(r)
		}
	}()
	return s.call.Do(args, s.resp)
}

// arguments are those of a command, which only reads them. Texts stay as they are; numbers are overwritten by the next command.
func (s *state) arguments(L *lua.LState) (args [][]byte, bad *lua.LTable) {
	n := L.GetTop()
	if n == 0 {
		return nil, errorTable(L, "ERR Please specify at least one argument for this redis lib call")
	}
	args, s.digits = s.args[:0], s.digits[:0]
	size := 0
	for i := 1; i <= n; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString:
			size += len(v)
			room(L, size)
			args = append(args, bytesOf(string(v)))
		case lua.LNumber:
			from := len(s.digits)
			s.digits = appendNumber(s.digits, float64(v))
			args = append(args, s.digits[from:len(s.digits):len(s.digits)])
		default:
			return nil, errorTable(L, "ERR Lua redis lib command arguments must be strings or integers")
		}
	}
	s.args = args
	return args, nil
}

// errorReply makes an error of a text; the code is ERR if there is only one word.
func errorReply(L *lua.LState) int {
	text, ok := L.Get(1).(lua.LString)
	if !ok || L.GetTop() != 1 {
		return push(L, errorTable(L, "ERR wrong number or type of arguments"))
	}
	line := strings.Trim(strings.TrimPrefix(cString(string(text)), "-"), "\r\n")
	if !strings.Contains(line, " ") {
		line = "ERR " + line
	}
	return push(L, errorTable(L, line))
}

func statusReply(L *lua.LState) int {
	text, ok := L.Get(1).(lua.LString)
	if !ok || L.GetTop() != 1 {
		return push(L, errorTable(L, "ERR wrong number or type of arguments"))
	}
	return push(L, field(L, "ok", text))
}

func sha1Hex(L *lua.LState) int {
	if L.GetTop() != 1 {
		throwError(L, "wrong number of arguments")
	}
	text, _ := asText(L.Get(1))
	sum := sha1.Sum([]byte(text))
	return push(L, lua.LString(hex.EncodeToString(sum[:])))
}

// logLength is how much of a text is logged, in bytes, as in Redis.
const logLength = 1024

func (s *state) log(L *lua.LState) int {
	n := L.GetTop()
	if n < 2 {
		throwError(L, "redis.log() requires two arguments or more.")
	}
	level, ok := L.Get(1).(lua.LNumber)
	if !ok {
		throwError(L, "First argument must be a number (log level).")
	}
	if level < 0 || level >= logLevels {
		throwError(L, "Invalid debug level.")
	}
	var words []string
	for i := 2; i <= n; i++ {
		if text, ok := asText(L.Get(i)); ok {
			words = append(words, text[:min(len(text), logLength)])
		}
	}
	if s.call.Log != nil {
		text := strings.Join(words, " ")
		s.call.Log(int(level), text[:min(len(text), logLength)])
	}
	return 0
}

func (s *state) setResp(L *lua.LState) int {
	if L.GetTop() != 1 {
		throwError(L, "redis.setresp() requires one argument.")
	}
	n, ok := asNumber(L.Get(1))
	if !ok || n != 2 && n != 3 {
		throwError(L, "RESP version must be 2 or 3.")
	}
	s.resp = int(n)
	return 0
}

// setRepl takes any choice: what replicates here is what commands do, whoever runs them.
func setRepl(L *lua.LState) int {
	if L.GetTop() != 1 {
		throwError(L, "redis.set_repl() requires two arguments.")
	}
	n, ok := asNumber(L.Get(1))
	if !ok || n != float64(int(n)) || n < 0 || n > 3 {
		throwError(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	return 0
}

// aclCheck says that any command that there is may run: there are no users but one.
func (s *state) aclCheck(L *lua.LState) int {
	args, bad := s.arguments(L)
	if bad != nil {
		throw(L, bad)
	}
	if s.call.Known != nil && !s.call.Known(args) {
		throwError(L, "Invalid command passed to redis.acl_check_cmd()")
	}
	return push(L, lua.LTrue)
}
