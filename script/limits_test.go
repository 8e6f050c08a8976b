package script

import (
	"runtime"
	"strings"
	"testing"
	"time"
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
	} {
		t.Run(body, func(t *testing.T) {
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
