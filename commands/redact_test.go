package commands

import (
	"bytes"
	"strings"
	"testing"
)

// TestRedacted: no password shows, however the command is written.
func TestRedacted(t *testing.T) {
	c := newContext(t)
	do(t, c, "PING")
	for _, line := range []string{
		"AUTH secret", "AUTH default secret", "HELLO 3 AUTH default secret", "HELLO 3 SETNAME auth AUTH default secret", "HELLO 2 auth secret secret SETNAME x",
		"HELLO 3 AUTH default wrong AUTH default secret", "CAUTH SECRET secret", "cauth Proof secret", "CONFIG SET requirepass secret", "CONFIG SET hz 10 RequirePass secret", "CONFIG SET requirepass\x00x secret",
	} {
		args := bytes.Split([]byte(line), []byte(" "))
		cmd, refusal := c.find(args)
		if cmd == nil {
			t.Fatalf("%q: %s", line, refusal)
		}
		if got := string(bytes.Join(redacted(cmd, args), []byte(" "))); strings.Contains(got, "secret") {
			t.Errorf("of %q shows %q", line, got)
		}
	}
	args := bytes.Split([]byte("HELLO 3 SETNAME auth"), []byte(" "))
	cmd, _ := c.find(args)
	if got := string(bytes.Join(redacted(cmd, args), []byte(" "))); got != "HELLO 3 SETNAME auth" {
		t.Errorf("of a name shows %q", got)
	}
}
