package commands

import (
	"regexp"
	"strings"
	"testing"
)

func TestHello(t *testing.T) {
	c := newContext(t)
	const fields2 = "$6|server|$5|redis|$7|version|$5|7.4.0|$13|atomiccounter|$5|0.0.0|$5|proto|:2|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|"
	want(t, c, "HELLO", "*16|"+fields2)
	want(t, c, "HELLO 3", "%8|"+strings.Replace(fields2, ":2", ":3", 1))
	want(t, c, "GET k", "_|")
	want(t, c, "HELLO 4", "-NOPROTO unsupported protocol version|")
	want(t, c, "HELLO 2 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'|")
	want(t, c, "GET k", "_|")
	want(t, c, "HELLO 2 SETNAME x", "*16|"+fields2)
	want(t, c, "CLIENT GETNAME", "$1|x|")
}

func TestSelectAndReset(t *testing.T) {
	c := newContext(t)
	for _, step := range [][2]string{
		{"SET k 1", "+OK|"}, {"SELECT 15", "+OK|"}, {"GET k", "$-1|"}, {"SET k 2", "+OK|"}, {"DBSIZE", ":1|"},
		{"RESET", "+RESET|"}, {"GET k", "$1|1|"}, {"FLUSHALL", "+OK|"}, {"DBSIZE", ":0|"},
	} {
		want(t, c, step[0], step[1])
	}
}

func TestQuitAndShutdownClose(t *testing.T) {
	s := newServer(t)
	asked := 0
	s.Shutdown = func() { asked++ }
	c := connect(t, s)
	want(t, c, "QUIT now", "+OK|")
	if !c.Client.Close || asked != 0 {
		t.Errorf("after QUIT: Close = %v, %d shutdowns; want true, 0", c.Client.Close, asked)
	}
	c = connect(t, s)
	want(t, c, "SHUTDOWN ABORT", "-ERR No shutdown in progress.|")
	want(t, c, "SHUTDOWN NOSAVE NOW FORCE", "")
	if !c.Client.Close || asked != 1 {
		t.Errorf("after SHUTDOWN: Close = %v, %d shutdowns; want true, 1", c.Client.Close, asked)
	}
}

func TestEchoIsBinarySafe(t *testing.T) {
	c := newContext(t)
	if got := do(t, c, "ECHO", "\x00\r\n\xff"); got != "$4\r\n\x00\r\n\xff\r\n" {
		t.Errorf("ECHO = %q; want the same bytes", got)
	}
}

func TestTime(t *testing.T) {
	got := do(t, newContext(t), "TIME")
	if !regexp.MustCompile(`^\*2\r\n\$10\r\n\d{10}\r\n\$\d\r\n\d{1,6}\r\n$`).MatchString(got) {
		t.Errorf("TIME = %q; want seconds and microseconds", got)
	}
}
