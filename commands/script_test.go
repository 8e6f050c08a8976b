package commands

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// scriptCorpus are scripts, each from a line that begins with === to the next. Behind === there may be 3, for clients of RESP3
// only, and ro, and behind a colon the keys, then a | and the arguments.
func scriptCorpus(t *testing.T) (list []scriptCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/scripts.txt")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "===") {
		head, body, _ := strings.Cut(part, "\n")
		if strings.TrimSpace(body) == "" {
			continue
		}
		list = append(list, parseScriptCase(head, strings.TrimSuffix(body, "\n")))
	}
	return list
}

type scriptCase struct {
	call []string
	resp string
}

func parseScriptCase(head, body string) scriptCase {
	options, args, _ := strings.Cut(head, ":")
	c := scriptCase{resp: "2"}
	name := "EVAL"
	for _, o := range strings.Fields(options) {
		switch o {
		case "3":
			c.resp = o
		case "ro":
			name = "EVAL_RO"
		}
	}
	keys, rest, _ := strings.Cut(args, "|")
	k := strings.Fields(keys)
	c.call = append([]string{name, body, strconv.Itoa(len(k))}, append(k, strings.Fields(rest)...)...)
	return c
}

// TestScriptsAreThoseOfRedis runs the corpus here and in Redis, and compares the replies byte by byte.
func TestScriptsAreThoseOfRedis(t *testing.T) {
	socket := startRedis(t)
	ours, real := newContext(t), dialRedis(t, socket)
	for _, resp := range []string{"2", "3"} {
		do(t, ours, "FLUSHALL")
		real.do(t, "FLUSHALL")
		for _, c := range scriptCorpus(t) {
			if c.resp > resp {
				continue
			}
			do(t, ours, "HELLO", resp)
			real.do(t, "HELLO", resp)
			got, want := do(t, ours, c.call...), real.do(t, c.call...)
			if got != want {
				t.Errorf("RESP%s %q\n got %q\nwant %q", resp, c.call[1:], got, want)
			}
		}
	}
}
