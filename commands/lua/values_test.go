package lua

import (
	"strconv"
	"strings"
	"testing"
)

// Whatever a script has made of KEYS and ARGV, the next one finds them as new.
func TestKeysAreNew(t *testing.T) {
	vm := New(Options{})
	show, err := vm.Eval([]byte(`local list = {}
for _, t in ipairs({KEYS, ARGV}) do
	for k, v in pairs(t) do list[#list + 1] = k .. '=' .. v end
	list[#list + 1] = #t .. tostring(getmetatable(t)) .. tostring(t[0]) .. tostring(t[3]) .. tostring(t[300]) .. tostring(t.x)
end
return table.concat(list, ' ')`))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		"return 1", "KEYS[1] = 'x' ARGV[1] = nil", "KEYS[0] = 1 KEYS[3] = 2 ARGV[300] = 3", "KEYS.x = 1 KEYS.y = 2 KEYS.x = nil ARGV[KEYS] = ARGV",
		"setmetatable(KEYS, {__index = function() return 1 end}) setmetatable(ARGV, KEYS)", "for i = 1, 1000 do table.insert(KEYS, 1, i) end",
		"while #KEYS > 0 do table.remove(KEYS) end table.sort(ARGV)", "KEYS[1], ARGV[2] = ARGV, KEYS error('x')",
		"coroutine.wrap(function() KEYS[1] = 'x' coroutine.yield() end)()", "return KEYS", "local k = KEYS while true do k = {k} end",
	} {
		s, err := vm.Eval([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		call := Call{RESP: 2, Do: nothing}
		call.Keys, call.Args = [][]byte{[]byte("old"), []byte("older"), []byte("oldest")}, [][]byte{[]byte("b"), []byte("a")}
		if strings.Contains(body, "while true") {
			vm.options.Memory = 1 << 20
		}
		vm.Run(s, &call, nil)
		call.Keys, call.Args = [][]byte{[]byte("k"), {}}, [][]byte{[]byte("1")}
		if got, want := string(vm.Run(show, &call, nil)), "$44\r\n1=k 2= 2nilnilnilnilnil 1=1 1nilnilnilnilnil\r\n"; got != want {
			t.Errorf("after %s a script finds %q; want %q", body, got, want)
		}
	}
}

// counting runs INCR as a server with one counter would, and knows no other command.
func counting(n *int64) func([][]byte, int) []byte {
	var reply []byte
	return func([][]byte, int) []byte {
		*n++
		reply = append(strconv.AppendInt(append(reply[:0], ':'), *n, 10), "\r\n"...)
		return reply
	}
}

// A value stays the same for as long as the script has it.
func TestValuesLast(t *testing.T) {
	vm := New(Options{})
	s, err := vm.Eval([]byte(`local t, n = {}, 0
for i = 1, 1000 do t[i] = redis.call('incr', KEYS[1]) end
for i = 1, 1000 do if t[i] == ARGV[1] + i then n = n + 1 end end
return n .. KEYS[1]`))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		n := int64(4321)
		call := &Call{RESP: 2, Keys: [][]byte{[]byte("key")}, Args: [][]byte{[]byte("4321")}, Do: counting(&n)}
		if got := string(vm.Run(s, call, nil)); got != "$7\r\n1000key\r\n" {
			t.Errorf("reply = %q; want 1000 times the same numbers", got)
		}
	}
}

// A limiter, which is what most scripts are, allocates nothing.
func TestLimiterAllocatesNothing(t *testing.T) {
	vm := New(Options{})
	s, err := vm.Eval([]byte(`local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], 60) end
if n < tonumber(ARGV[1]) then return redis.error_reply('no') end
return n`))
	if err != nil {
		t.Fatal(err)
	}
	n, out := int64(1000), make([]byte, 0, 100)
	call := &Call{RESP: 2, Keys: [][]byte{[]byte("key")}, Args: [][]byte{[]byte("1000")}, Do: counting(&n)}
	if got := testing.AllocsPerRun(1000, func() { out = vm.Run(s, call, out[:0]) }); got != 0 {
		t.Errorf("a limiter allocates %v times; want never", got)
	}
}
