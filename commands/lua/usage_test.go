package lua

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// Scripts that are kept take little, and Usage says how much: one that was loaded and has not run yet little more than its text, one that
// has far less than the room that the compiler takes, 17 KB.
func TestUsage(t *testing.T) {
	vm := New(Options{})
	for _, text := range []string{"return %d", "local n = redis.call('incrby', KEYS[1], %d)\nif n > 5 then\nreturn redis.error_reply('too many')\nend\n" +
		"for i = 1, 10 do\nredis.call('hset', KEYS[1], 'f' .. i, i %% 7)\nend\nreturn function() return n end"} {
		const n = 2000
		before := settled()
		kept := func(each int64) {
			t.Helper()
			took, u := int64(settled()-before), vm.Usage()
			if u.Scripts != n || u.ScriptBytes < took/2 || u.ScriptBytes > 2*took {
				t.Errorf("Usage = %+v; want %d scripts in about %d bytes", u, n, took)
			}
			if took > each*n {
				t.Errorf("a script takes %d bytes; want at most %d", took/n, each)
			}
		}
		sums := make([]string, n)
		for i := range sums {
			s, err := vm.Load(fmt.Appendf(nil, text, i))
			if err != nil {
				t.Fatal(err)
			}
			sums[i] = strings.Clone(s.SHA)
		}
		before += uint64(n * 64) // the sums
		kept(int64(len(text)) + 300)
		for _, sum := range sums {
			if s := vm.Find([]byte(sum)); s == nil {
				t.Fatalf("Find(%s) = nil", sum)
			}
		}
		kept(4096)
		vm.Flush()
		if u := vm.Usage(); u.Scripts != 0 || u.ScriptBytes != 0 {
			t.Errorf("Usage after Flush = %+v; want none", u)
		}
	}
}

// settled is what the heap keeps.
func settled() uint64 {
	runtime.GC()
	runtime.GC()
	return heap()
}

// Those that go because of others are no longer counted.
func TestUsageOfEvaluatedScripts(t *testing.T) {
	vm := New(Options{Evaluated: 1})
	for i := range 3 {
		if _, err := vm.Eval(fmt.Appendf(nil, "return %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	one := New(Options{})
	run(t, one, "return 1")
	if got, want := vm.Usage(), one.Usage(); got.Scripts != 1 || got.ScriptBytes != want.ScriptBytes {
		t.Errorf("Usage = %+v; want one script of %d bytes", got, want.ScriptBytes)
	}
	if got := one.Usage().Interpreters; got <= 0 {
		t.Errorf("Interpreters = %d; want what the one takes that has run a script", got)
	}
}

func TestStateSize(t *testing.T) {
	vm := New(Options{})
	before := settled()
	s := vm.newState()
	if took := int64(settled() - before); took < stateSize/2 || took > stateSize*2 {
		t.Errorf("an interpreter takes %d bytes; stateSize is %d", took, stateSize)
	}
	runtime.KeepAlive(s)
}

// TestScriptsAreBounded: what is kept takes no more than it may. Evaluated scripts go first, loaded ones stay.
func TestScriptsAreBounded(t *testing.T) {
	const bound = 1 << 20
	vm := New(Options{Scripts: bound})
	pad := "--" + strings.Repeat("x", 4000) + "\nreturn %d"
	var loaded []string
	for i := 0; ; i++ {
		s, err := vm.Load(fmt.Appendf(nil, pad, i))
		if err != nil {
			if err != errLoaded || i < bound/2/5000 {
				t.Fatalf("Load of script %d = %v", i, err)
			}
			break
		}
		loaded = append(loaded, strings.Clone(s.SHA))
	}
	for i := range 1000 {
		if _, err := vm.Eval(fmt.Appendf(nil, "return 'e%d'", i)); err != nil {
			t.Fatal(err)
		}
	}
	if u := vm.Usage(); u.ScriptBytes > bound || u.Scripts <= len(loaded)+100 {
		t.Errorf("Usage = %+v; want at most %d bytes, and some evaluated scripts beside %d that were loaded", u, bound, len(loaded))
	}
	last := vm.Usage().Scripts
	for _, sha := range loaded {
		if s := vm.Find([]byte(sha)); s == nil || s.proto == nil {
			t.Fatalf("Find(%s) = %v", sha, s)
		}
		if u := vm.Usage(); u.ScriptBytes > bound || u.Scripts > last {
			t.Fatalf("Usage = %+v; want at most %d bytes and %d scripts", u, bound, last)
		}
	}
	if _, err := vm.Load(fmt.Appendf(nil, pad, 0)); err != nil {
		t.Errorf("Load of what is loaded = %v", err)
	}
	vm.Flush()
	if _, err := vm.Load(fmt.Appendf(nil, pad, 1000000)); err != nil || vm.Usage().Scripts != 1 {
		t.Errorf("Load after Flush = %v; %+v", err, vm.Usage())
	}
}
