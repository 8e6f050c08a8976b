package commands

import "testing"

// TestKeysOfCallsAreThoseOfRedis compares what COMMAND GETKEYS and GETKEYSANDFLAGS say of calls of every command.
func TestKeysOfCallsAreThoseOfRedis(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	compare := func(args ...string) {
		t.Helper()
		if got, want := do(t, ours, args...), real.do(t, args...); got != want {
			t.Errorf("%q = %q; want %q", args, got, want)
		}
	}
	for _, hello := range []string{"2", "3"} {
		do(t, ours, "HELLO", hello)
		real.do(t, "HELLO", hello)
		eachCommand(func(cmd *Command, name []string) {
			if !inRedis7(cmd) {
				return
			}
			for _, filler := range []string{"1", "2", "get", ""} {
				call := append([]string(nil), name...)
				for len(call) < max(cmd.Arity, -cmd.Arity)+4 {
					compare(append([]string{"COMMAND", "GETKEYS"}, call...)...)
					compare(append([]string{"COMMAND", "GETKEYSANDFLAGS"}, call...)...)
					call = append(call, filler)
				}
			}
		})
	}
	compare("COMMAND", "GETKEYSANDFLAGS", "none", "a")
	compare("COMMAND", "GETKEYSANDFLAGS", "SET", "a", "1", "EX", "5", "Get")
	compare("COMMAND", "GETKEYSANDFLAGS", "set", "a", "get", "nx")
	for _, count := range []string{"x", "1.0", "1x", " 1", "+1", "01", "1e5", "-1", "0", "3", "9999999999999999999"} {
		compare("COMMAND", "GETKEYSANDFLAGS", "eval", "x", count, "a", "b")
	}
}
