package tests

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"atomiccounter/tlv"
)

// What was tried against CMERGE.

// payload is a state of one contribution of n, as of rev.
func payload(id uint64, rev tlv.Stamp, n int64) string {
	c := tlv.Contribution{Replica: tlv.ReplicaID(id), Birth: 1, Rev: rev, Last: rev, Total: tlv.FromInt64(n)}
	return string(tlv.AppendState(nil, &tlv.State{Contributions: []tlv.Contribution{c}}))
}

// TestMergeInTheNameOfAReplica: a replica that has not counted yet is known by its ID alone. What somebody merges in its name, of the end
// of time or of now, plain or not, does not take the place of what it counts.
func TestMergeInTheNameOfAReplica(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.reach(0, 1)
	id, err := strconv.ParseUint(c.id(1), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.do(0, "CMERGE", "k", payload(id, math.MaxUint64, 0)); !r.isError() || !strings.Contains(r.text, "clock") {
		t.Errorf("CMERGE of the end of time = %v; want an error", r)
	}
	c.ok(0, "CMERGE", "k", payload(id, 5, 0))
	c.ok(0, "CMERGE", "plain", string(tlv.AppendN(nil, tlv.N{{Replica: tlv.ReplicaID(id), Total: math.MaxUint64}})))
	c.ok(1, "INCRBY", "k", "1000")
	c.sync()
	c.expect(0, "1000", "GET", "k")
	c.expect(1, "1000", "GET", "k")
	c.ok(1, "DEL", "plain")
	c.sync()
	c.checkEqual()
}

// TestMergeOfWhatComesAnyway: what a server of the cluster dumps, another refuses until it has it, and ignores then: it would count twice.
func TestMergeOfWhatComesAnyway(t *testing.T) {
	c := newCluster(t, 2, mesh)
	c.reach(1, 0)
	c.ok(0, "INCR", "old")
	dump := c.dumpOf(0, "old")
	c.sync()
	c.cut(1)
	c.ok(0, "INCRBY", "k", "5")
	for _, p := range []string{c.dumpOf(0, "k"), c.dumpOf(0, "k", "RDX")} {
		if r := c.do(1, "CMERGE", "k", p); !r.isError() {
			t.Errorf("CMERGE of what has not come yet = %v; want an error", r)
		}
	}
	c.heal()
	c.sync()
	for _, p := range []string{c.dumpOf(0, "k"), c.dumpOf(0, "k", "RDX")} {
		c.ok(1, "CMERGE", "k", p, "old", dump)
	}
	c.expect(1, "5", "GET", "k")
	c.expect(1, "1", "GET", "old")
	if one, other := field(c.ok(0, "INFO").text, "cluster_id"), field(c.ok(1, "INFO").text, "cluster_id"); len(one) != 16 || one != other {
		t.Errorf("the cluster is %q on one, and %q on the other", one, other)
	}
}

// TestMergeGrowsOneKey: payload after payload brings contributions of others, texts and all, into one key, and DEL frees them.
func TestMergeGrowsOneKey(t *testing.T) {
	c := newCluster(t, 1, detached)
	text := func(id tlv.ReplicaID) string {
		part := tlv.Contribution{Replica: id, Birth: 5, Rev: 5, Last: 5, HasValue: true, IsText: true, Text: strings.Repeat("x", 1000<<10)}
		return string(tlv.AppendState(nil, &tlv.State{Contributions: []tlv.Contribution{part}}))
	}
	refused := 0
	for id := range tlv.ReplicaID(50) {
		if r := c.do(0, "CMERGE", "k", text(id+1)); r.isError() {
			refused++
		}
	}
	if refused != 46 {
		t.Errorf("%d of 50 texts of 1000 KiB are refused; want 46", refused)
	}
	var n tlv.N
	for id := range tlv.ReplicaID(1001) {
		n = append(n, tlv.NTotal{Replica: id + 1, Total: 1})
	}
	if r := c.do(0, "CMERGE", "fine", payload(1, 5, 1), "n", string(tlv.AppendN(nil, n))); !r.isError() {
		t.Errorf("CMERGE of 1001 replicas = %v; want an error", r)
	}
	c.expect(0, "0", "EXISTS", "fine", "n")
	c.ok(0, "CMERGE", "n", string(tlv.AppendN(nil, n[:1000])))
	c.ok(0, "DEL", "k", "n")
	c.ok(0, "INCR", "k") // so that there is something to dump
	if size := len(c.dumpOf(0, "k")); size > 1000 {
		t.Errorf("after DEL and INCR the key takes %d bytes", size)
	}
	if r := c.do(0, "CMERGE", "n", payload(5000, 5, 1)); !r.isError() {
		t.Errorf("CMERGE of one more = %v; want an error", r)
	}
	c.ok(0, "CFORGET", "0000000000000001")
	c.ok(0, "CMERGE", "n", payload(5000, 5, 1))
	c.expect(0, "1", "GET", "n")
}
