package tests

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"atomiccounter/tests/proxy"
)

// storm is how long TestReplication's faults go on; stormShort with -short.
const (
	storm      = 60 * time.Second
	stormShort = 10 * time.Second
)

// weather does to a cluster, from a seed, all that a network and machines do to it.
type weather struct {
	*cluster
	*rand.Rand
	traffic *traffic
	doors   []*door
	copies  map[int]string // of stores, as they were when their server was dead
	counts  map[string]int // of what happened
}

// TestReplication: three servers in a mesh, later four, take writes at once, while links and client connections are cut,
// delayed, silenced, throttled and lose bytes, servers are killed and restarted, one store is rolled back to an earlier
// copy, and a server with an empty store joins. In the end all have the same values: the sum of what was acknowledged.
func TestReplication(t *testing.T) {
	duration := storm
	if testing.Short() {
		duration = stormShort
	}
	t.Logf("-seed %d", *seed)
	w := &weather{cluster: newCluster(t, 3, mesh, "--peer-secret", peerSecret, "--natural", "grow:*", "--update-period", "100ms"),
		Rand: rand.New(rand.NewPCG(*seed, 2<<32)), traffic: newTraffic(), copies: make(map[int]string), counts: make(map[string]int)}
	for i := range w.members {
		w.open(i)
	}
	w.blow(duration)
	if err := w.traffic.end(); err != nil {
		t.Error(err)
	}
	w.clear()
	t.Logf("%d acknowledged, %d unanswered; %v", w.traffic.acknowledged.Load(), w.traffic.failed.Load(), w.counts)
	w.checkSums()
}

// open lets clients of a member in.
func (w *weather) open(i int) {
	d := &door{addr: w.members[i].front.Addr}
	w.doors = append(w.doors, d)
	w.traffic.enter(d, fmt.Sprint(i), 4, w.Uint64())
}

// blow lets one thing after another happen. A third of the time in, and again after two thirds, a store is rolled back;
// a server joins half-way.
func (w *weather) blow(duration time.Duration) {
	began := time.Now()
	fixed := []struct {
		at time.Duration
		do func()
	}{{duration / 3, w.rollBack}, {duration / 2, w.join}, {duration * 2 / 3, w.rollBack}}
	for time.Since(began) < duration {
		if len(fixed) > 0 && time.Since(began) > fixed[0].at {
			fixed[0].do()
			fixed = fixed[1:]
			continue
		}
		w.event()
		time.Sleep(time.Duration(w.Int64N(int64(400 * time.Millisecond)))) // a fault has to last
	}
	for _, f := range fixed { // a slow machine: all must have happened
		f.do()
	}
}

// event lets one thing happen.
func (w *weather) event() {
	i := w.IntN(len(w.members))
	switch w.IntN(10) {
	case 0, 1, 2, 3:
		w.harm(w.anyLink())
	case 4, 5:
		w.anyLink().Heal()
	case 6:
		w.count("fault of clients")
		w.harm(w.members[i].front)
	case 7:
		w.members[i].front.Heal()
	case 8:
		w.clear()
	case 9:
		w.crash(i)
	}
}

func (w *weather) count(what string) { w.counts[what]++ }

// anyLink draws a link in an order that the seed decides.
func (w *weather) anyLink() *proxy.Proxy {
	for {
		m := w.members[w.IntN(len(w.members))]
		if l := m.links[w.IntN(len(w.members))]; l != nil {
			return l
		}
	}
}

// harm lets one fault befall a connection, besides what it has.
func (w *weather) harm(p *proxy.Proxy) {
	switch w.IntN(6) {
	case 0:
		w.count("cut")
		p.Cut()
	case 1:
		w.count("delay")
		p.Delay(time.Duration(w.Int64N(int64(300 * time.Millisecond))))
	case 2:
		w.count("silence")
		p.Silence()
	case 3:
		w.count("requests swallowed")
		p.Swallow(proxy.Request)
	case 4:
		w.count("replies swallowed")
		p.Swallow(proxy.Reply)
	case 5:
		w.count("throttle")
		p.Throttle(10_000 + w.IntN(100_000))
	}
}

// clear ends all faults.
func (w *weather) clear() {
	w.heal()
	for _, m := range w.members {
		m.front.Heal()
	}
}

// crash kills a server and starts it again, perhaps after taking a copy of its store. It may have another ID then: when it is killed again
// before all who know it have been asked, or they cannot be asked.
func (w *weather) crash(i int) {
	w.count("kill -9")
	w.kill(i)
	if w.copies[i] == "" && i < 3 {
		w.copies[i] = w.t.TempDir()
		copyStore(w.t, w.copies[i], w.members[i].dir)
	}
	time.Sleep(time.Duration(w.Int64N(int64(500 * time.Millisecond)))) // the others are to miss it
	w.start(i)
}

// rollBack kills a server and starts it with an earlier copy of its store. What nobody else had by then would be lost,
// so its clients wait until a peer has all; from the moment that it runs again they go on.
func (w *weather) rollBack() {
	i := w.IntN(3)
	for w.copies[i] == "" {
		w.crash(i)
	}
	w.count("store rolled back")
	w.clear()
	w.doors[i].gate.Lock()
	w.traffic.attempt("grow:0", 1)
	w.ok(i, "INCR", "grow:0") // there is something that the copy lacks
	w.traffic.acknowledge("grow:0", 1)
	w.reach(i, (i+1)%3)
	before := w.id(i)
	w.doors[i].behind.Store(true)
	w.kill(i)
	copyStore(w.t, w.members[i].dir, w.copies[i])
	w.start(i)
	w.doors[i].gate.Unlock()
	w.reach(i, (i+1)%3) // it publishes again, and so has a new ID
	w.reach((i+1)%3, i)
	w.doors[i].behind.Store(false)
	if after := w.id(i); after == before {
		w.t.Errorf("server %d was rolled back and is still replica %s", i, after)
	}
}

// join adds a server with an empty store. Two of the others are told of it at run time, and pass on what it says: one of
// them may yet be rolled back to a time when it did not know.
func (w *weather) join() {
	w.count("join")
	i := w.add()
	for j := range i {
		w.members[i].args = append(w.members[i].args, "--peer", w.link(i, j).Addr)
	}
	w.start(i)
	for j := range 2 {
		w.ok(j, "CPEER", "ADD", w.link(j, i).Addr)
	}
	w.open(i)
}

// checkSums compares all members with the ledger.
func (w *weather) checkSums() {
	w.t.Helper()
	found := w.checkEqual()
	for _, key := range w.traffic.keys() {
		if err := w.traffic.within(key, found[key]); err != nil {
			w.t.Error(err)
		}
	}
}
