package commands

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
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

// TestGlobSearch compares the search for many places at a time with the matcher that goes back, behind a star.
func TestGlobSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		letters := []string{"ab", "ab?", "aab?[]^-\\", "aaaa*?[ab]"}[r.IntN(4)]
		g := glob{pattern: make([]byte, r.IntN(200))}
		for i := range g.pattern {
			g.pattern[i] = letters[r.IntN(len(letters))]
		}
		s := bytes.Repeat([]byte("a"), 1+r.IntN(400))
		for range r.IntN(4) {
			s[r.IntN(len(s))] = 'b'
		}
		want := stepBack(g, s)
		if got := g.search(0, s); got != want {
			t.Fatalf("search(%q, %q) = %v; want %v", g.pattern, s, got, want)
		}
		if got := (glob{pattern: append([]byte("*"), g.pattern...)}).match(s); got != want {
			t.Fatalf("match(%q, %q) = %v; want %v", "*"+string(g.pattern), s, got, want)
		}
	}
}

// stepBack says whether a star and the pattern match s, as Redis finds out.
func stepBack(g glob, s []byte) bool {
	p, i, star, from := 0, 0, 0, 0
	for i < len(s) {
		if p < len(g.pattern) && g.pattern[p] == '*' {
			star, from, p = p+1, i, p+1
		} else if next, ok := g.one(p, s[i]); ok {
			p, i = next, i+1
		} else {
			from++
			p, i = star, from
		}
	}
	return len(bytes.Trim(g.pattern[p:], "*")) == 0
}

// TestEvilGlobs: patterns that match nearly everywhere, against the longest keys.
func TestEvilGlobs(t *testing.T) {
	key := bytes.Repeat([]byte("a"), maxName)
	for _, pattern := range []string{
		"*" + strings.Repeat("a", maxName/2) + "b",
		"*" + strings.Repeat("a?", maxName/4) + "b",
		"*" + strings.Repeat("[ab]", maxName/6) + "b",
		strings.Repeat("*"+strings.Repeat("a?", 100)+"b", maxName/202),
		"*[" + strings.Repeat("b-c", maxName/3-2) + "]",
	} {
		before := time.Now()
		if (glob{pattern: []byte(pattern)}).match(key) {
			t.Errorf("match(%.20q…) = true", pattern)
		}
		t.Logf("%.20q… took %v", pattern, time.Since(before)) // in seconds, if each step back was taken
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
