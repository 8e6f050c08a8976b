package commands

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		match      bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "a", true}, {"**", "abc", true}, {"*", "", false},
		{"?", "a", true}, {"?", "ab", false}, {"h?llo", "hello", true}, {"h*llo", "heeeello", true}, {"h*llo", "hllo", true},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "aXbYcZ", false}, {"a*", "a", true}, {"*a", "ba", true}, {"a**", "a", true},
		{"h[ae]llo", "hallo", true}, {"h[ae]llo", "hillo", false}, {"h[^e]llo", "hallo", true}, {"h[^e]llo", "hello", false},
		{"[a-c]", "b", true}, {"[c-a]", "b", true}, {"[a-c]", "d", false}, {"[a-]", "-", false}, {"[a-]", "^", true}, {"[]a", "a", false},
		{`\*`, "*", true}, {`\*`, "a", false}, {`\`, `\`, true}, {`[\]]`, "]", true}, {`[\-a]`, "-", true},
		{"[", "a", false}, {"[a", "a", true}, {"[^", "a", true}, {"[a-", "-", true}, {"A", "a", false},
		{"user:*:*", "user:1:x", true}, {"\x00?", "\x00\xff", true},
	} {
		if got := (glob{pattern: []byte(test.pattern)}).match([]byte(test.s)); got != test.match {
			t.Errorf("match(%q, %q) = %v; want %v", test.pattern, test.s, got, test.match)
		}
	}
	if !(glob{pattern: []byte("[A-C]X"), fold: true}).match([]byte("bx")) {
		t.Error("match([A-C]X, bx) in any case = false; want true")
	}
}

// TestGlobAgainstPlainSearch compares with an obviously right matcher that tries every length for every star.
func TestGlobAgainstPlainSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(letters string, n int) []byte {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return b
	}
	for range 200000 {
		g, s := glob{pattern: text("ab*?[]^-\\", 8)}, text("ab]-", 7)
		want := len(s) > 0 && plainSearch(g, 0, s) || len(s) == 0 && len(g.pattern) == 0
		if got := g.match(s); got != want {
			t.Fatalf("match(%q, %q) = %v; want %v", g.pattern, s, got, want)
		}
	}
}

func plainSearch(g glob, p int, s []byte) bool {
	if p == len(g.pattern) {
		return len(s) == 0
	}
	if g.pattern[p] == '*' {
		for i := range len(s) + 1 {
			if plainSearch(g, p+1, s[i:]) {
				return true
			}
		}
		return false
	}
	if len(s) == 0 {
		return false
	}
	next, ok := g.one(p, s[0])
	return ok && plainSearch(g, next, s[1:])
}

// TestGlobAgainstRedis asks both servers for the keys that random patterns match.
func TestGlobAgainstRedis(t *testing.T) {
	ours, real := newContext(t), dialRedis(t, startRedis(t))
	for _, key := range []string{"a", "b", "ab", "ba", "aab", "-", "]", "^", "a-b", "a]", "[a]", "*", "?a", `\\`, "abab"} {
		do(t, ours, "SET", key, "1")
		real.do(t, "SET", key, "1")
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		pattern := make([]byte, 1+r.IntN(6))
		for i := range pattern {
			pattern[i] = "ab*?[]^-\\"[r.IntN(9)]
		}
		got := sorted(reparse(t, do(t, ours, "KEYS", string(pattern))))
		want := sorted(reparse(t, real.do(t, "KEYS", string(pattern))))
		if !slices.Equal(got, want) {
			t.Errorf("KEYS %q = %q; want %q", pattern, got, want)
		}
	}
}

func sorted(reply any) (list []string) {
	for _, key := range reply.([]any) {
		list = append(list, key.(string))
	}
	slices.Sort(list)
	return list
}

// TestGlobIsNotExponential: a matcher that tries all lengths for every star needs more steps here than there is time.
func TestGlobIsNotExponential(t *testing.T) {
	g := glob{pattern: []byte(strings.Repeat("a*", 1000) + "b")}
	if g.match([]byte(strings.Repeat("a", 4000))) {
		t.Error("match(a*a*…b, aaa…) = true; want false")
	}
}
