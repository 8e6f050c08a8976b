package commands

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTextsAreThoseOfRedis runs calls that are mostly wrong, in order, on both servers. One call a line; "" is an empty
// argument, _ in an argument a space.
func TestTextsAreThoseOfRedis(t *testing.T) {
	text, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	socket := startRedis(t)
	for _, proto := range []string{"2", "3"} {
		t.Run("RESP"+proto, func(t *testing.T) {
			ours, real := newContext(t), dialRedis(t, socket)
			do(t, ours, "HELLO", proto)
			real.do(t, "HELLO", proto)
			real.do(t, "FLUSHALL")
			for line := range strings.Lines(string(text)) {
				args := callOf(line)
				if len(args) == 0 {
					continue
				}
				got, want := do(t, ours, args...), real.do(t, args...)
				if got != want {
					t.Errorf("%s = %q; want %q", strings.TrimSpace(line), got, want)
				}
			}
		})
	}
}

// TestTextsBeforeAuthentication runs calls on connections that have not given the password.
func TestTextsBeforeAuthentication(t *testing.T) {
	socket := startRedis(t)
	s := newServer(t)
	do(t, connect(t, s), "CONFIG", "SET", "requirepass", "secret")
	dialRedis(t, socket).do(t, "CONFIG", "SET", "requirepass", "secret")
	ours, real := connect(t, s), dialRedis(t, socket)
	for _, line := range []string{"NOSUCH a", "GET", "GET k", "CLIENT NOSUCH", "CLIENT ID", "CLIENT", "PING", "COMMAND COUNT",
		"HELLO", "HELLO 3", "HELLO 3 SETNAME x", "HELLO 4", "HELLO 3 AUTH default wrong", "HELLO 3 FOO", "HELLO 3 AUTH default wrong FOO", "HELLO 3 SETNAME \x01",
		"HELLO 3 AUTH default secret FOO", "CLIENT GETNAME", "RESET", "AUTH wrong", "AUTH default wrong",
		"AUTH other secret", "AUTH a b c", "RESET", "GET k", "AUTH secret", "GET k", "AUTH wrong", "GET k", "RESET", "GET k",
		"AUTH default secret", "GET k"} {
		args := strings.Fields(line)
		if got, want := do(t, ours, args...), real.do(t, args...); got != want {
			t.Errorf("%s = %q; want %q", line, got, want)
		}
	}
}

// TestTextsWithLongArguments: some errors repeat all of an argument, others its beginning.
func TestTextsWithLongArguments(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	for _, arg := range []string{strings.Repeat("w", 200), "a\x00b", "a\r\nb"} {
		for _, line := range []string{"", "CLIENT", "CLIENT LIST TYPE", "CLIENT KILL TYPE", "CLIENT KILL USER", "CLIENT SETNAME", "HELLO 3",
			"CONFIG SET timeout 0", "CONFIG SET timeout", "EXPIRE a 1", "COMMAND LIST FILTERBY", "OBJECT"} {
			args := append(strings.Fields(line), arg, arg)
			compare(t, ours, real, args)
			compare(t, ours, real, args[:len(args)-1])
		}
	}
}

func callOf(line string) []string {
	if strings.HasPrefix(line, "#") {
		return nil
	}
	args := strings.Fields(line)
	for i, arg := range args {
		args[i] = strings.ReplaceAll(strings.ReplaceAll(arg, `""`, ""), "_", " ")
	}
	return args
}

// notCompared are commands that show what differs between any two servers, change what the real one is or does
// meanwhile, or end the connection.
var notCompared = map[string]bool{
	"hello": true, "info": true, "time": true, "role": true, "shutdown": true, "quit": true, "command": true,
	"client|id": true, "client|info": true, "client|list": true, "client|reply": true, "client|help": true,
	"command|info": true, "command|docs": true, "command|list": true, "command|count": true, "command|help": true,
	"config|get": true, "config|help": true, "object|help": true, "script|help": true,
	"lastsave": true, "memory|stats": true, "memory|malloc-stats": true, "memory|help": true, "monitor": true, "debug": true,
	"slowlog|help": true, "slowlog|get": true, "slowlog|len": true, "latency|help": true, "latency|doctor": true, "memory|doctor": true, "latency|histogram": true, "pubsub|help": true, "subscribe": true, "psubscribe": true,
	"replicaof": true, "slaveof": true, "bgsave": true, "bgrewriteaof": true,
	"function|load": true, "function|help": true, "acl|help": true, "module|help": true,
	"ssubscribe": true, "unsubscribe": true, "punsubscribe": true, "sunsubscribe": true,
}

// TestEveryCommandWithEveryNumberOfArguments gives each command that Redis has too few and too many arguments, and ones of
// the wrong kind.
func TestEveryCommandWithEveryNumberOfArguments(t *testing.T) {
	socket := startRedis(t)
	for _, proto := range []string{"2", "3"} {
		t.Run("RESP"+proto, func(t *testing.T) {
			ours, real := newContext(t), dialRedis(t, socket)
			do(t, ours, "HELLO", proto)
			real.do(t, "HELLO", proto)
			n := 0
			eachCommand(func(cmd *Command, name []string) {
				if !inRedis7(cmd) {
					return
				}
				for _, args := range fillings(cmd, name) {
					n++
					compare(t, ours, real, args)
					if cmd.Name == "reset" {
						do(t, ours, "HELLO", proto)
						real.do(t, "HELLO", proto)
					}
				}
			})
			if n < 1000 {
				t.Errorf("%d calls compared; want more than 1000", n)
			}
		})
	}
}

func inRedis7(cmd *Command) bool {
	return cmd.Since < "7.2.0" && cmd.Group != "counter" && cmd.Group != "replication"
}

func eachCommand(f func(cmd *Command, name []string)) {
	for i := range byName.all {
		cmd := &byName.all[i]
		if cmd.Run != nil {
			f(cmd, []string{cmd.Name})
		}
		for j := range cmd.Sub {
			f(&cmd.Sub[j], []string{cmd.Name, cmd.Sub[j].Name})
		}
	}
}

var fillers = []string{"1", "0", "-1", "99999999999999999999", "nx", "ex", "", "+5"}

// fillings are calls with 0 to three more than the least number of arguments, all but the first the same.
func fillings(cmd *Command, name []string) (calls [][]string) {
	least := max(cmd.Arity, -cmd.Arity)
	for n := len(name); n <= least+3; n++ {
		wrong := !cmd.Fits(n)
		if notCompared[cmd.FullName] && !wrong {
			continue
		}
		for _, filler := range fillers {
			args := append([]string(nil), name...)
			for len(args) < n {
				args = append(args, filler)
			}
			calls = append(calls, args)
		}
	}
	return calls
}

// compare runs a call on both, then removes what it may have made. By design RENAME and the like are refused here.
func compare(t *testing.T, ours *Context, real *realRedis, args []string) {
	t.Helper()
	got, want := do(t, ours, args...), real.do(t, args...)
	refused := strings.Contains(got, "is not supported")
	if got != want && !refused {
		t.Errorf("%q = %q; want %q", args, got, want)
	}
	clean := append([]string{"DEL"}, fillers...)
	do(t, ours, clean...)
	real.do(t, clean...)
}

// TestRefusals holds the texts of what is not supported.
func TestRefusals(t *testing.T) {
	c := newContext(t)
	for _, call := range []string{"RENAME a b", "RENAMENX a b", "COPY a b", "MOVE a 1", "SWAPDB 0 1"} {
		prefix := fmt.Sprintf("-ERR %s is not supported: ", strings.Fields(call)[0])
		if got := do(t, c, strings.Fields(call)...); !strings.HasPrefix(got, prefix) {
			t.Errorf("%s = %q; want %q …", call, got, prefix)
		}
	}
	want(t, c, "SWAPDB 3 3", "+OK|")
}
