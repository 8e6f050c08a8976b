package tests

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atomiccounter/tests/process"
)

// dumpOf is what CDUMP gives.
func (c *cluster) dumpOf(i int, key string, format ...string) string {
	c.t.Helper()
	r := c.ok(i, append([]string{"CDUMP", key}, format...)...)
	if r.null {
		c.t.Fatalf("server %d: CDUMP %s: no such key", i, key)
	}
	return r.text
}

// TestMerge: what one server dumps another one takes in, though neither knows the other; twice is as good as once, and
// old is as good as nothing.
func TestMerge(t *testing.T) {
	c := newCluster(t, 2, detached)
	c.expect(0, "(nil)", "CDUMP", "k")
	c.ok(0, "INCRBY", "k", "5")
	old := c.dumpOf(0, "k")
	for range 2 {
		c.ok(1, "CMERGE", "k", old)
		c.expect(1, "5", "GET", "k")
	}
	c.ok(0, "INCRBY", "k", "-7")
	c.ok(1, "INCRBY", "k", "100")
	c.ok(1, "CMERGE", "k", c.dumpOf(0, "k"))
	c.expect(1, "98", "GET", "k")
	c.ok(1, "CMERGE", "k", old)
	c.expect(1, "98", "GET", "k")

	c.ok(0, "CMERGE", "k", c.dumpOf(1, "k")) // and back: what is server 0's own is there already
	c.expect(0, "98", "GET", "k")

	c.ok(1, "DEL", "k") // cancels what was merged, for ever
	c.ok(1, "CMERGE", "k", old)
	c.expect(1, "(nil)", "GET", "k")

	c.kill(1)
	c.start(1)
	c.expect(1, "(nil)", "GET", "k")
	c.ok(0, "INCRBY", "other", "9")
	c.ok(1, "CMERGE", "several", old, "keys", c.dumpOf(0, "other"))
	c.kill(1)
	c.start(1)
	c.expect(1, "5", "GET", "several")
	c.expect(1, "9", "GET", "keys")
}

// TestMergeReplicates: what one member has merged, its peers get, also those that come later.
func TestMergeReplicates(t *testing.T) {
	outside := newCluster(t, 1, detached, "--natural", "likes*")
	outside.ok(0, "INCRBY", "likes", "5")
	outside.ok(0, "INCRBY", "stock", "-3")
	c := newCluster(t, 2, mesh)
	c.ok(0, "INCRBY", "stock", "1")
	c.ok(0, "CMERGE", "likes", outside.dumpOf(0, "likes"), "stock", outside.dumpOf(0, "stock"))
	c.sync()
	c.ok(1, "CMERGE", "likes", outside.dumpOf(0, "likes")) // there already, by another way
	if got := c.checkEqual(); unequal(got, map[string]int64{"likes": 5, "stock": -2}) != nil {
		t.Errorf("merged into %v; want likes = 5, stock = -2", got)
	}
	if r := c.do(1, "DECR", "likes"); !r.isError() {
		t.Errorf("DECR of what was merged as a Natural = %v; want an error", r)
	}
	i := c.add()
	c.members[i].args = []string{"--peer", c.link(i, 1).Addr}
	c.start(i)
	c.reach(1, i)
	c.expect(i, "-2", "GET", "stock")
}

// TestMergeBad: a payload that is no state changes nothing, not even the keys before it, and the error says where.
func TestMergeBad(t *testing.T) {
	c := newCluster(t, 1, detached)
	c.ok(0, "INCRBY", "k", "5")
	good := c.dumpOf(0, "k")
	plain := c.dumpOf(0, "k", "RDX")
	c.ok(0, "DEL", "k")
	for _, bad := range []string{"x", "\x00", good[:len(good)-1], plain[:len(plain)-1], good + "x", plain + good, good + plain, strings.Repeat(good, 2),
		strings.Repeat("x", 1<<20+1)} {
		r := c.do(0, "CMERGE", "other", good, "k", bad)
		if !r.isError() || !strings.HasPrefix(r.text, "ERR") {
			t.Errorf("CMERGE of %.40q = %v; want an error", bad, r)
		} else if len(bad) < 1<<20 && !strings.Contains(r.text, "offset") {
			t.Errorf("CMERGE of %.40q = %v; want the offset at which it fails", bad, r)
		}
		c.expect(0, "0", "EXISTS", "k", "other")
	}
	for _, args := range [][]string{{"CMERGE"}, {"CMERGE", "k"}, {"CMERGE", "k", good, "l"}} {
		if r := c.do(0, args...); !r.isError() {
			t.Errorf("%s = %v; want an error", quote(args), r)
		}
	}
}

// TestMergePlain: plain N and Z values of RDX and merges.
func TestMergePlain(t *testing.T) {
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "tlv", "testdata", "rdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Natural       []plainValue `json:"natural"`
		ZCounter      []plainValue `json:"zcounter"`
		NaturalMerge  []plainMerge `json:"natural_merge"`
		ZCounterMerge []plainMerge `json:"zcounter_merge"`
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, 2, detached)
	for kind, list := range map[string][]plainValue{"natural": v.Natural, "zcounter": v.ZCounter} {
		for n, p := range list {
			key := fmt.Sprintf("%s:%d", kind, n)
			c.ok(0, "CMERGE", key, unhex(t, p.Hex))
			c.expectValue(0, p.Value, key)
			if c.ok(0, "EXISTS", key).text == "1" { // and on, by way of each format
				c.ok(1, "CMERGE", key, c.dumpOf(0, key))
				c.ok(1, "CMERGE", key+":plain", c.dumpOf(0, key, "RDX"))
				c.expectValue(1, p.Value, key)
				c.expectValue(1, p.Value, key+":plain")
			}
		}
	}
	for kind, list := range map[string][]plainMerge{"natural": v.NaturalMerge, "zcounter": v.ZCounterMerge} {
		for n, p := range list {
			key := fmt.Sprintf("merge:%s:%d", kind, n)
			for range 2 {
				for _, input := range p.Inputs {
					c.ok(0, "CMERGE", key, unhex(t, input))
				}
				c.expectValue(0, p.Value, key)
			}
			if got := c.dumpOf(0, key, "RDX"); kind == "natural" && got != unhex(t, p.Merged) {
				t.Errorf("CDUMP %s RDX = %x; want %s", key, got, p.Merged)
			}
		}
	}
}

type plainValue struct {
	Hex   string      `json:"hex"`
	Value json.Number `json:"value"`
}

type plainMerge struct {
	Inputs []string    `json:"inputs"`
	Merged string      `json:"merged"`
	Value  json.Number `json:"value"`
}

// expectValue: a value that says nothing leaves no key.
func (c *cluster) expectValue(i int, want json.Number, key string) {
	c.t.Helper()
	r := c.ok(i, "GET", key)
	if r.text != want.String() && !(r.null && want == "0") {
		c.t.Errorf("server %d: GET %s = %v; want %s", i, key, r, want)
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
