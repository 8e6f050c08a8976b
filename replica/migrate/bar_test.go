package migrate

import (
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	steps := []Progress{{Total: 9, Elapsed: time.Millisecond}, {Seen: 2, Total: 9, Elapsed: 6 * time.Second}, {Seen: 3, Total: 9, Elapsed: 7 * time.Second},
		{Seen: 10, Total: 9, Elapsed: 8 * time.Second, Done: true}}
	for terminal, want := range map[bool][]string{false: {"22% ", "(2/9, ", "100% ", "(10/10, "}, true: {"0% ", "100% ", "(10/10, "}} {
		var out strings.Builder
		b := newBar(&out, terminal)
		for _, p := range steps {
			b.Show(p)
		}
		b.End()
		for _, part := range want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("terminal %t: %q; want %q in it", terminal, out.String(), part)
			}
		}
		if !strings.HasSuffix(out.String(), "\n") || !terminal && strings.Count(out.String(), "\n") != 2 {
			t.Errorf("terminal %t: %q; want lines", terminal, out.String())
		}
	}
}
