package migrate

import (
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		p    Progress
		want string
	}{
		{Progress{Seen: 50, Total: 200, Elapsed: 10 * time.Second}, "[#######-----------------------]  25 %  50 of 200 keys  5 keys/s  30s remaining"},
		{Progress{Seen: 300, Total: 200, Elapsed: time.Second}, "[##############################] 100 %  300 of 200 keys  300 keys/s  0s remaining"},
		{Progress{}, "[##############################] 100 %  0 of 0 keys  0 keys/s  ? remaining"},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("%+v = %q; want %q", c.p, got, c.want)
		}
	}
}

func TestBar(t *testing.T) {
	steps := []Progress{{Total: 9, Elapsed: time.Millisecond}, {Seen: 1, Total: 9, Elapsed: 2 * barEvery}, {Seen: 2, Total: 9, Elapsed: 6 * time.Second}, {Seen: 9, Total: 9, Elapsed: 7 * time.Second, Done: true}}
	for terminal, want := range map[bool][]string{false: {"2 of", "9 of"}, true: {"1 of", "2 of", "9 of"}} {
		var out strings.Builder
		b := Bar{W: &out, Terminal: terminal}
		for _, p := range steps {
			b.Show(p)
		}
		b.End()
		lines := strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\r' || r == '\n' })
		if len(lines) != len(want) {
			t.Errorf("terminal %t: %q; want %d lines", terminal, out.String(), len(want))
			continue
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("terminal %t: line %d = %q; want one with %q", terminal, i, line, want[i])
			}
		}
	}
}
