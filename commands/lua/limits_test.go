package lua

import (
	"runtime"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// run runs a script that calls no commands, and gives its reply.
func run(t testing.TB, vm *VM, body string) string {
	t.Helper()
	s, err := vm.Eval([]byte(body))
	if err != nil {
		return "-ERR " + err.Error()
	}
	return string(vm.Run(s, &Call{RESP: 2, Do: nothing}, nil))
}

func nothing([][]byte, int) []byte { return []byte("+OK\r\n") }

// Scripts that never end by themselves, in all the ways there are.
func TestKillStopsWhatNeverEnds(t *testing.T) {
	for _, body := range []string{
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"local function f() return f() end return f()",
		"while true do pcall(error) end",
		"local co = coroutine.wrap(function() while true do end end) co()",
		"local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
		"while true do xpcall(function() error('x') end, function() while true do end end) end",
		"while true do redis.pcall('ping') end",
		"repeat until false",
		"for i = 1, math.huge do end",
		"string.find(string.rep('a', 60), string.rep('a-', 60) .. 'b')",
		"string.gsub(string.rep('a', 60), string.rep('a?', 60) .. 'b', '')",
		"table.sort({3, 2, 1}, function() while true do end end)",
		"setmetatable({}, {__index = function(t, k) return t[k + 1] end}) [1] = nil while true do end",
		"return setmetatable({}, {__index = function() while true do end end}).x",
		"return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
		"load(function() return ' ' end)",
		"local b = string.rep('0', 5000000) local x " + strings.Repeat("x=b+1 ", 150000),
		"local b = string.rep('0', 5000000) local x " + strings.Repeat("x=-b ", 150000),
		"local b, t = string.rep('0', 50000000), {} " + strings.Repeat("t[b]=1 ", 140000),
		"local t = {} for i = 1, 4000000 do t[i] = i end for i = 4000000, 1, -1 do t[i] = nil end local x " + strings.Repeat("x=#t ", 150000),
	} {
		t.Run(body[:min(len(body), 100)], func(t *testing.T) {
			t.Parallel()
			vm := New(Options{})
			s, err := vm.Eval([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			slow, got := make(chan bool), make(chan string)
			call := &Call{RESP: 2, Do: nothing, Slow: func() { close(slow) }}
			go func() { got <- string(vm.Run(s, call, nil)) }()
			select {
			case <-slow:
			case reply := <-got:
				t.Fatalf("it ended by itself: %q", reply)
			}
			call.Kill()
			select {
			case reply := <-got:
				if !strings.Contains(reply, errKilled.Error()) {
					t.Errorf("reply = %q; want that it was killed", reply)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("it goes on though it was killed")
			}
			if got := run(t, vm, "return 1"); got != ":1\r\n" {
				t.Errorf("the next script = %q; want 1", got)
			}
		})
	}
}

// Scripts that take all the memory there is, in all the ways there are.
func TestMemoryEatersFail(t *testing.T) {
	for _, body := range []string{
		"local t = {} while true do t[#t + 1] = {} end",
		"local t = {} while true do t[#t + 1] = string.rep('x', 1000000) .. #t end",
		"local t = {} for i = 1, 1e9 do t[i] = {[4000000] = 1} end",
		"local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
		"local s = 'x' while true do s = s .. s end",
		"return string.rep('x', 1e12)",
		"return ('x'):rep(1e6):rep(1e6)",
		"return string.format('%s', string.rep('x', 6e7)) .. string.rep('x', 6e7)",
		"local s = string.rep('x', 6e7) return s:gsub('x', s)",
		"local s = string.rep('x', 6e7) return table.concat({s, s, s})",
		"local s = string.rep('x', 6e7) return cjson.encode({s, s, s})",
		"local s = string.rep('x', 6e7) return cmsgpack.pack({s, s, s})",
		"return struct.pack('c1000000000', 'x')",
		"local s = string.rep('x', 6e7) return struct.pack('ss', s, s)",
		"local s = string.rep('x', 6e7) return s:gsub('.*', '%0%0%0%0')",
		"return cjson.encode(string.rep('\\1', 6e7))",
		"return string.format('%q', string.rep('\\0', 6e7))",
		"local s = string.rep('x', 6e7) return redis.call('set', s, s)",
		"return cjson.decode('[' .. string.rep('[],', 2e7) .. '1]')",
		"local function f(...) return f(1, ...) end return f()",
		"local function f() return 1 + f() end return f()",
		"local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end return t.x",
		"local t = {} t[1] = t return cmsgpack.pack(t) .. cjson.encode(t)",
		"return {unpack({}, 1, 1e8)}",
		"local s, t = string.rep('x', 1000000), {} for i = 1, 1000000 do t[i] = s end return t",
		"local t = {} for i = 1, 100 do t = {t, t} end return t",
		"local t = {} for i = 1, 100 do t = {t, t} end return cjson.encode(t)",
		"assert(loadstring(string.rep('a() ', 1000000)))",
		"--" + strings.Repeat("x", 1<<20),
	} {
		t.Run(body, func(t *testing.T) {
			runtime.GC() // what the one before has left
			vm := New(Options{Memory: 16 << 20})
			got := run(t, vm, body)
			if !strings.HasPrefix(got, "-ERR ") {
				t.Errorf("reply = %.100q; want an error", got)
			}
			if got := run(t, vm, "return 1"); got != ":1\r\n" {
				t.Errorf("the next script = %q; want 1", got)
			}
		})
	}
}

// Garbage is no memory in use.
func TestGarbageIsForgiven(t *testing.T) {
	vm := New(Options{Memory: 32 << 20})
	if got := run(t, vm, "local n = 0 for i = 1, 400 do n = n + #string.rep('x', 1000000 + i) end return n"); got != ":400080200\r\n" {
		t.Errorf("reply = %q; want 400080200", got)
	}
}

// What goes deep is an error, not the end of the process.
func TestDepth(t *testing.T) {
	vm := New(Options{})
	for _, body := range []string{
		"return " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"return " + strings.Repeat("{", 100_000) + strings.Repeat("}", 100_000),
		"return " + strings.Repeat("not ", 100_000) + "1",
		"return " + strings.Repeat("- ", 100_000) + "1",
		"return 1" + strings.Repeat("+1", 100_000),
		"return 1" + strings.Repeat("..1", 100_000),
		strings.Repeat("do ", 100_000) + strings.Repeat("end ", 100_000),
		strings.Repeat("if x then elseif ", 100_000) + "x then end",
		"return " + strings.Repeat("function() return ", 100_000) + strings.Repeat(" end", 100_000),
		"local t = {} for i = 1, 100000 do t = {t} end return t",
		"return cjson.decode(string.rep('[', 100000))",
		"return cmsgpack.unpack(string.rep('\\145', 100000))",
		"local function f() return pcall(f) end return select('#', f())",
		"local s = string.rep('(', 40) return ('x'):find(s)",
		"return ('x'):rep(1000000):find(('x?'):rep(1000000))",
	} {
		if got := run(t, vm, body); !strings.Contains(got, "-ERR ") && !strings.Contains(got, ":") {
			t.Errorf("%.40q = %.100q; want an error", body, got)
		}
	}
	if got := run(t, vm, "return 1"); got != ":1\r\n" {
		t.Errorf("the next script = %q; want 1", got)
	}
}

// TestLogIsCut: a script cannot fill the log with one line.
func TestLogIsCut(t *testing.T) {
	vm := New(Options{})
	s, err := vm.Eval([]byte("redis.log(redis.LOG_WARNING, string.rep('x', 5000), 'y')"))
	if err != nil {
		t.Fatalf("Eval = %v", err)
	}
	logged := ""
	vm.Run(s, &Call{RESP: 2, Do: nothing, Log: func(_ int, msg string) { logged = msg }}, nil)
	if logged != strings.Repeat("x", logLength) {
		t.Errorf("%d bytes are logged; want %d", len(logged), logLength)
	}
}

// allocated gives how many bytes a function allocates, about.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestErrorsAfterTailCalls: nothing is written down of a million calls that have left no trace, neither when they end in an error nor when
// the script is killed, also where the stack is at its end.
func TestErrorsAfterTailCalls(t *testing.T) {
	vm := New(Options{})
	const loop = "local function f(n) if n == 0 then %s end return f(n - 1) end "
	fails, returns := strings.Replace(loop, "%s", "error('x')", 1), strings.Replace(loop, "%s", "return 1", 1)
	for _, calls := range []string{
		"pcall(f, 1e6)", "xpcall(function() return f(1e6) end, function(e) return e end)", "coroutine.resume(coroutine.create(f), 1e6)",
		"local function g(n) f(100) return 1 + g(n) end pcall(g, 1)", "local function g(n) f(1e6 - n * 999999) return 1 + g(1) end pcall(g, 0)",
	} {
		fails, returns := fails+calls, returns+calls
		if strings.Contains(calls, "g(n)") { // f returns, and g meets the end of the stack
			fails = returns
			returns = strings.Replace(returns, "1 + g(", "g and (", 1)
		}
		run(t, vm, fails)
		few := allocated(func() { run(t, vm, returns) })
		if many := allocated(func() { run(t, vm, fails) }); many > few+(40<<20) {
			t.Errorf("%s: %d bytes allocated; want about %d", fails, many, few)
		}
	}
	var call *Call
	killed := int64(0)
	s, err := vm.Eval([]byte("local n = 0 local function f() n = n + 1 if n == 5000000 then redis.call('ping') end return f() end pcall(pcall, f)"))
	if err != nil {
		t.Fatal(err)
	}
	var before runtime.MemStats
	call = &Call{RESP: 2, Do: func([][]byte, int) []byte {
		call.Kill()
		runtime.ReadMemStats(&before)
		return []byte("+OK\r\n")
	}}
	if got := string(vm.Run(s, call, nil)); !strings.Contains(got, errKilled.Error()) {
		t.Errorf("reply = %q; want that it was killed", got)
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if killed = int64(after.TotalAlloc - before.TotalAlloc); killed > 8<<20 {
		t.Errorf("%d bytes allocated to end a script", killed)
	}
}

// TestNesting: builtins call functions that call builtins, and coroutines make coroutines, as deep as in Redis.
func TestNesting(t *testing.T) {
	vm := New(Options{})
	for _, c := range []struct{ body, want string }{
		{"local n = 0 local function f() n = n + 1 return pcall(f) end local r = {f()} return {n, #r, tostring(r[#r])}", "*3|:199|:200|$16|C stack overflow|"},
		{"local n = 0 local function f() n = n + 1 return xpcall(f, function(e) return e end) end local r = {f()} return {n, #r, tostring(r[#r])}", "*3|:199|:200|$16|C stack overflow|"},
		{"local n = 0 local function f() n = n + 1 return coroutine.resume(coroutine.create(f)) end local r = {f()} return {n, #r, tostring(r[#r])}", "*3|:200|:201|$16|C stack overflow|"},
		{"local n = 0 local function f() n = n + 1 return (string.gsub('a', 'a', f)) end local ok, e = pcall(f) return {n, tostring(ok), tostring(e)}", "*3|:198|$5|false|$16|C stack overflow|"},
		{"local n = 0 local function f() n = n + 1 table.sort({2, 1}, f) end local ok, e = pcall(f) return {n, tostring(ok), tostring(e)}", "*3|:198|$5|false|$16|C stack overflow|"},
		{"local n = 0 local t = setmetatable({}, {__tostring = function(t) n = n + 1 return tostring(t) end}) local ok, e = pcall(tostring, t) return {n, tostring(ok), tostring(e)}", "*3|:197|$5|false|$16|C stack overflow|"},
		{"local function f(n) if n > 0 then return coroutine.wrap(f)(n - 1) end while true do end end return f(10000)", "-"},
		{"for i = 1, 1000 do pcall(error) coroutine.wrap(function() coroutine.yield() error() end)() end return {pcall(pcall, pcall, error)}", "*3|:1|:1|$-1|"},
	} {
		if got := strings.ReplaceAll(run(t, vm, c.body), "\r\n", "|"); got != c.want && (c.want != "-" || got[0] != '-') {
			t.Errorf("%s = %.200q; want %q", c.body, got, c.want)
		}
	}
}

// TestBuiltinsHeedTheEnd: a builtin that goes through much finds out by itself that the script was killed.
func TestBuiltinsHeedTheEnd(t *testing.T) {
	vm := New(Options{})
	s := vm.newState()
	s.call = &Call{Do: nothing}
	s.reset()
	s.watch.stop(errKilled)
	numbers, texts, keys := s.lua.NewTable(), s.lua.NewTable(), s.lua.NewTable()
	for i := range 2 * spendToCheck {
		numbers.Append(lua.LNumber(-i))
		texts.Append(lua.LString(strings.Repeat("x", 100)))
		keys.RawSetString(strings.Repeat("k", i%100)+string(rune(i)), lua.LNumber(i))
	}
	long := strings.Repeat("x", 64*spendToCheck)
	for _, c := range []struct {
		library, name string
		args          []lua.LValue
	}{
		{"cjson", "encode", []lua.LValue{numbers}}, {"cjson", "encode", []lua.LValue{keys}}, {"cjson", "encode", []lua.LValue{lua.LString(long)}},
		{"cjson", "decode", []lua.LValue{lua.LString("[" + strings.Repeat("1,", 2*spendToCheck) + "1]")}},
		{"cjson", "decode", []lua.LValue{lua.LString(strings.Repeat(" ", 64*spendToCheck) + "1")}},
		{"cmsgpack", "pack", []lua.LValue{numbers}}, {"cmsgpack", "pack", []lua.LValue{keys}},
		{"cmsgpack", "unpack", []lua.LValue{lua.LString("\xdc\xff\xff" + strings.Repeat("\x01", 1<<16))}},
		{"struct", "size", []lua.LValue{lua.LString(strings.Repeat("b", 2*spendToCheck))}},
		{"table", "concat", []lua.LValue{texts}}, {"table", "concat", []lua.LValue{numbers}}, {"table", "sort", []lua.LValue{numbers}}, {"table", "maxn", []lua.LValue{keys}},
		{"string", "find", []lua.LValue{lua.LString(long), lua.LString("x-y")}}, {"string", "match", []lua.LValue{lua.LString(long), lua.LString("%bxy")}},
		{"string", "gsub", []lua.LValue{lua.LString(long), lua.LString("x"), lua.LString("y")}},
		{"string", "gsub", []lua.LValue{lua.LString(long), lua.LString(".*"), lua.LString(strings.Repeat("%0", 100))}},
		{"string", "find", []lua.LValue{lua.LString(long), lua.LString("^(" + strings.Repeat("x", 1000) + "x*)%1y")}},
	} {
		s.spent = 0
		f := s.behind(s.globals.RawGetString(c.library).(*lua.LTable)).RawGetString(c.name)
		err := s.lua.CallByParam(lua.P{Fn: f, NRet: 1, Protect: true}, c.args...)
		if err == nil || !strings.Contains(err.Error(), errKilled.Error()) {
			t.Errorf("%s.%s = %v; want that it was killed", c.library, c.name, err)
		}
	}
}

// TestSharedVariables: functions share variables with what goes on after an error, and keep those of what the error has ended.
func TestSharedVariables(t *testing.T) {
	vm := New(Options{})
	for _, c := range []struct{ body, want string }{
		{"local x = 0 local function inc() x = x + 1 end pcall(error) pcall(error) inc() return x", ":1"},
		{"local x = 0 local function inc() x = x + 1 end pcall(error) pcall(function() local a = nil a.b = 1 end) inc() return x", ":1"},
		{"local x = 0 local function inc() x = x + 1 end pcall(pcall, error) xpcall(function() pcall(error) error() end, function() inc() error() end) inc() return x", ":2"},
		{"local g pcall(function() local y = 1 g = function() y = y + 1 return y end error('x') end) local a, b, c, d, e = 5, 6, 7, 8, 9 return g()", ":2"},
		{"pcall(error) local g pcall(function() local y = 1 g = function() y = y + 1 return y end pcall(error) error('x') end) local a, b, c, d = 5, 6, 7, 8 return g()", ":2"},
		{"local g local co = coroutine.wrap(function() local y = 1 g = function() y = y + 1 return y end pcall(error) error('x') end) pcall(co) local a, b, c = 5, 6, 7 return g()", ":2"},
	} {
		if got := run(t, vm, c.body); got != c.want+"\r\n" {
			t.Errorf("%s = %q; want %s", c.body, got, c.want)
		}
	}
}
