package lua

import (
	"fmt"
	"strings"
	"testing"
)

// What scripts return, and throw; package commands compares much more with Redis.
func TestReplies(t *testing.T) {
	vm := New(Options{})
	for _, test := range []struct{ body, want string }{
		{"return 3.99", ":3|"}, {"return 'x'", "$1|x|"}, {"return {1, 'a', nil, 4}", "*2|:1|$1|a|"}, {"return true", ":1|"},
		{"return false", "$-1|"}, {"return {ok = 'fine'}", "+fine|"}, {"return {err = 'NO way'}", "-NO way|"},
		{"return {double = 0.1}", "$19|0.10000000000000001|"}, {"return 1e15 .. ''", "$5|1e+15|"},
		{"return redis.call('ping').ok", "$2|OK|"}, {"return cjson.encode({1, {a = cjson.null}})", "$14|[1,{\"a\":null}]|"},
	} {
		if got := strings.ReplaceAll(run(t, vm, test.body), "\r\n", "|"); got != test.want {
			t.Errorf("%s = %q; want %q", test.body, got, test.want)
		}
	}
}

// A script finds nothing of the one before it.
func TestScriptsLeaveNothing(t *testing.T) {
	vm := New(Options{})
	for _, body := range []string{
		"x = 1", "_G.x = 1", "rawset(_G, 'x', 1)", "string.x = 1", "redis.call = nil", "getmetatable('').__index = nil",
		"setmetatable(_G, nil)", "getmetatable(_G).__index = nil", "table.insert(redis, 1)", "table.sort(string)", "KEYS = {}",
		"function x() end", "rawset(getmetatable(_G), '__index', 1)", "for k in pairs(_G) do _G[k] = nil end",
	} {
		if got := run(t, vm, body); !strings.HasPrefix(got, "-ERR ") || !strings.Contains(got, errReadonly) {
			t.Errorf("%s = %q; want %q", body, got, errReadonly)
		}
	}
	for _, body := range []string{
		"cjson.encode_max_depth(1) redis.setresp(3) return 1", "KEYS[1] = 'x' ARGV.y = 1 return 1", "local x = 1 error('x')",
		"coroutine.wrap(function() coroutine.yield() end)() return 1", "local function f() return 1 + f() end f()",
	} {
		run(t, vm, body)
		got := run(t, vm, "return {#KEYS, ARGV.y == nil, cjson.encode_max_depth(), true, pcall(function() return x end)}")
		if want := "*6\r\n:0\r\n:1\r\n:1000\r\n:1\r\n$-1\r\n"; !strings.HasPrefix(got, want) {
			t.Errorf("after %s a script finds %q; want %q", body, got, want)
		}
	}
}

func TestSandbox(t *testing.T) {
	vm := New(Options{})
	for _, name := range []string{"io", "os", "package", "debug", "require", "module", "dofile", "loadfile", "print", "newproxy", "getfenv",
		"setfenv", "channel", "_printregs", "_GOPHER_LUA_VERSION"} {
		if got := run(t, vm, "return "+name); !strings.Contains(got, "nonexistent global variable '"+name+"'") {
			t.Errorf("%s = %q; want that there is none", name, got)
		}
	}
}

// The names of hidden builtins show nowhere.
func TestHiddenNames(t *testing.T) {
	got := run(t, New(Options{}), "local n = 0 for k in pairs(_G) do if not k:match('^[%a_]+$') then n = n + 1 end end return n")
	if got != ":0\r\n" {
		t.Errorf("%q names that are none; want 0", got)
	}
}

func TestCache(t *testing.T) {
	vm := New(Options{Evaluated: 2})
	load := func(f func([]byte) (*Script, error), n int) []byte {
		s, err := f(fmt.Appendf(nil, "return %d", n))
		if err != nil {
			t.Fatal(err)
		}
		return []byte(s.SHA)
	}
	kept, first, second := load(vm.Load, 0), load(vm.Eval, 1), load(vm.Eval, 2)
	load(vm.Eval, 1) // used again
	third := load(vm.Eval, 3)
	for _, test := range []struct {
		sha  []byte
		want bool
	}{{kept, true}, {first, true}, {second, false}, {third, true}, {[]byte("x"), false}} {
		if got := vm.Find(test.sha) != nil; got != test.want {
			t.Errorf("Find(%s) = %v; want %v", test.sha, got, test.want)
		}
	}
	load(vm.Load, 1) // no longer one that goes
	load(vm.Eval, 4)
	load(vm.Eval, 5)
	if vm.Find(first) == nil || vm.Usage().Scripts != 4 {
		t.Errorf("%d scripts, the loaded one: %v; want 4, with it", vm.Usage().Scripts, vm.Find(first))
	}
	vm.Flush()
	if vm.Find(kept) != nil || vm.Usage().Scripts != 0 {
		t.Errorf("%d scripts after Flush; want none", vm.Usage().Scripts)
	}
}

// A bug of a command is not an error of the script.
func TestPanicOfACommand(t *testing.T) {
	vm := New(Options{})
	s, err := vm.Eval([]byte("return pcall(redis.call, 'x')"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if r := recover(); r != "bug" {
			t.Errorf("recovered %v; want the panic of the command", r)
		}
	}()
	vm.Run(s, &Call{RESP: 2, Do: func([][]byte, int) []byte { panic("bug") }}, nil)
	t.Error("Run has returned")
}

func TestClose(t *testing.T) {
	vm := New(Options{})
	vm.Close()
	if got := run(t, vm, "return 1"); !strings.HasPrefix(got, "-ERR "+errClosed.Error()) {
		t.Errorf("a script after Close = %q; want an error", got)
	}
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]string{"1e3": "1000", " 0x10 ": "16", "010": "10", "-0x1f": "-31", "1_0": "-", "0b1": "-", "": "-",
		"1 2": "-", "0x": "-", "0x1p4": "16", "0x.8": "0.5", "inf": "inf", "-nan": "-nan", "9223372036854775808": "9.2233720368548e+18", "1e400": "inf",
		"--1": "-", "+5": "5", "5.": "5", ".": "-", "1\x00x": "1", "1e": "-"} {
		got := "-"
		if f, ok := parseNumber(text); ok {
			got = numberText(f)
		}
		if got != want {
			t.Errorf("parseNumber(%q) = %s; want %s", text, got, want)
		}
	}
}
