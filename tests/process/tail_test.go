package process

import (
	"strings"
	"testing"
)

func TestTailKeepsTheEnd(t *testing.T) {
	l := &tail{limit: 8}
	for _, s := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		if _, err := l.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.String(); got != "stuvwxyz" {
		t.Errorf("String() = %q; want %q", got, "stuvwxyz")
	}
}
