package lua

import (
	"strings"
	"testing"
	"time"
)

// FuzzScript runs arbitrary texts with arbitrary arguments: none may make the interpreter fail, or leave it unusable.
func FuzzScript(f *testing.F) {
	for _, body := range []string{
		"return {KEYS[1], ARGV[1], 1, 2.5, true, false, {err = 'x'}, {ok = 'y'}, {double = 1}, {map = {a = 1}}, {set = {a = 1}}}",
		"return cjson.encode(cjson.decode(ARGV[1]))", "return {cmsgpack.unpack(ARGV[1])}", "return cmsgpack.pack(KEYS, ARGV)",
		"return {struct.unpack(ARGV[1], ARGV[2])}", "return struct.pack(ARGV[1], 1, 2, 'x')", "return string.format(ARGV[1], ARGV[2], 3)",
		"return {string.find(ARGV[1], ARGV[2])}", "return {string.gsub(ARGV[1], ARGV[2], ARGV[1])}",
		"local t = {} for k, v in string.gmatch(ARGV[1], ARGV[2]) do t[#t + 1] = v end return t",
		"return tonumber(ARGV[1], tonumber(ARGV[2]))", "return ARGV[1] + ARGV[2]", "return loadstring(ARGV[1])()",
		"local c = coroutine.wrap(function(...) error(coroutine.yield(...)) end) c(1) return pcall(c, {err = 'e'})",
		"return {xpcall(function() local x = nil; return x.y end, function(e) return {err = e} end)}",
		"table.sort(ARGV, function(a, b) return true end) return table.concat(ARGV, ',', 1, 2)",
		"return setmetatable({}, {__index = string, __call = print, __concat = error}) .. 1", "goto a ::a:: return redis.sha1hex(...)",
		"return bit.tohex(ARGV[1], ARGV[2])", "return {unpack(ARGV, -1, 3)}", "redis.setresp(3) return redis.call('x')",
	} {
		f.Add(body, "a%d", "[1,{\"a\":\"\\u00e9\"}]")
	}
	f.Fuzz(func(t *testing.T, body, a, b string) {
		vm := New(Options{Memory: 64 << 20})
		for _, resp := range []int{2, 3} {
			s, err := vm.Eval([]byte(body))
			if err != nil {
				return
			}
			c := &Call{RESP: resp, Do: nothing, Keys: [][]byte{[]byte(a)}, Args: [][]byte{[]byte(a), []byte(b)}, Busy: time.Second}
			c.Alarm = c.Kill
			got := string(vm.Run(s, c, nil))
			if strings.Contains(got, "runtime error") {
				t.Fatalf("reply = %q; want no fault of the interpreter", got)
			}
		}
		if got := run(t, vm, "return 1"); got != ":1\r\n" {
			t.Errorf("the next script = %q; want 1", got)
		}
	})
}
