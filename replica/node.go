package replica

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"atomiccounter/engine"
	"atomiccounter/engine/broadcast"
	"atomiccounter/tlv"
)

// Options of New. The zero value of each means its default.
type Options struct {
	Peers          []string                    // host:port to pull from, beside those that the store remembers
	Secret         string                      // that the peers and this replica prove to each other that they know (package handshake); "": no proof is asked for
	User, Password string                      // for the peers; none if Password is ""
	TLS            func() (*tls.Config, error) // is asked for each connection, and gives a config of its own; nil: plain
	Port           int                         // TCP, on which peers find this replica; 0: none
	// Wait bounds how long after a start nothing is published because a peer that knows this replica has not yet confirmed what it
	// has of it; then this takes a new ID. Default 2 s.
	Wait time.Duration
	Log  *slog.Logger // default slog.Default()

	now    func() time.Time // default time.Now
	random func() uint64    // default rand.Uint64
}

func (o Options) withDefaults() Options {
	if o.Wait == 0 {
		o.Wait = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.random == nil {
		o.random = rand.Uint64
	}
	return o
}

// Node replicates one store: it pulls from its peers, and answers the peers that pull from it. All methods may be called at the
// same time by many goroutines. None may be called while a pipeline of the store is active: they may wait for a flush.
type Node struct {
	engine *engine.Engine
	o      Options
	wake   chan struct{} // there is urgent maintenance
	acks   broadcast.Signal
	naming sync.Mutex // one renaming at a time
	roster sync.Mutex // one change of the peers at a time: what the store remembers and links are the same

	mu        sync.Mutex // guards what follows; never held where the store may make us wait
	links     map[string]*link
	ctx       context.Context // of Run; nil: it does not run
	done      sync.WaitGroup  // links that run
	members   *members
	turns     turns
	heard     map[tlv.ReplicaID]time.Time
	former    map[tlv.ReplicaID][]tlv.ReplicaID // IDs that others had before, as they say
	store     storeStatus
	due       maintenance
	snapshots keptSnapshots
}

// storeStatus is what the node keeps in mind of the store, because to ask may take as long as a flush.
type storeStatus struct {
	confirmed bool // it is sure of its history
	deadline  time.Time
	logs      bool                   // it keeps the log
	awaited   map[tlv.ReplicaID]bool // remembered pullers that have not confirmed it
	transfer  *engine.Transfer       // not finished
	joining   bool                   // it was made with peers, and has not had all of their state yet
}

// New makes the node of a store. Run has it pull; it answers before that.
func New(e *engine.Engine, o Options) (*Node, error) {
	o = o.withDefaults()
	n := &Node{engine: e, o: o, wake: make(chan struct{}, 1), links: map[string]*link{}, heard: map[tlv.ReplicaID]time.Time{},
		former: map[tlv.ReplicaID][]tlv.ReplicaID{}}
	stored, err := e.Recall(engine.PeerSetting)
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	pullers, err := recallPullers(e)
	if err != nil {
		return nil, err
	}
	n.members = newMembers(pullers)
	n.store.awaited = map[tlv.ReplicaID]bool{}
	for _, id := range pullers {
		n.store.awaited[id] = true
	}
	n.snapshots.open = map[string]*engine.Snapshot{}
	now := o.now()
	for _, addr := range o.Peers {
		n.links[addr] = newLink(addr, now)
	}
	for addr := range stored {
		n.links[addr] = newLink(addr, now)
	}
	n.store.deadline = now.Add(o.Wait)
	n.due.keepLog = len(n.links) > 0
	n.store.joining = e.Joining()
	n.lookAtTransfer()
	n.lookAtJoin()
	return n, nil
}

// lookAtTransfer asks the store how far a transfer is.
func (n *Node) lookAtTransfer() {
	t, ok := n.engine.Transfer()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.store.transfer = nil
	if ok {
		n.store.transfer = &t
	}
}

// lookAtJoin ends the joining of the store when it has all that a peer has that has anything; also when no peer has anything, which all of
// them must have said, or a store that joins together with another one would take that for the whole. The caller holds mu, or nobody
// else has the node yet.
func (n *Node) lookAtJoin() {
	if !n.store.joining || n.store.transfer != nil {
		return
	}
	all := true
	for _, l := range n.links {
		level, some := l.puller.Level()
		if level && some {
			all = true
			break
		}
		all = all && level
	}
	if all {
		n.store.joining, n.due.joined = false, true
		n.rouse()
	}
}

// Run pulls from the peers until ctx ends.
func (n *Node) Run(ctx context.Context) error {
	n.mu.Lock()
	n.ctx = ctx
	for _, l := range n.links {
		n.start(l)
	}
	n.mu.Unlock()
	err := n.attend(ctx)
	n.mu.Lock()
	n.ctx = nil
	n.mu.Unlock()
	n.done.Wait()
	n.mu.Lock()
	gone := n.snapshots.take(n.snapshots.leases.All())
	n.mu.Unlock()
	return errors.Join(err, closeAll(gone))
}

// start has a link run. The caller holds mu.
func (n *Node) start(l *link) {
	if n.ctx == nil {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	l.cancel = cancel
	n.done.Go(func() { l.run(ctx, n) })
}

// step has a link's puller decide what comes next.
func (n *Node) step(l *link, ev Event) Action {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.links[l.addr] != l { // it was ended: another link may have that address by now
		return Pause{}
	}
	now := n.o.now()
	before := l.puller.Status()
	vouched := l.puller.Vouched()
	a, lines := l.puller.Step(now, float64(n.o.random()>>11)/(1<<53), n.self(), ev)
	for _, line := range lines {
		n.o.Log.Log(context.Background(), line.Level, line.Text, append([]any{"peer", l.addr}, line.Args...)...)
	}
	n.turns.Moved(l.addr, a, now)
	after := l.puller.Status()
	if after.ID != 0 && after.LastContact.Equal(now) {
		n.heard[after.ID], n.former[after.ID] = now, latest(l.puller.Former())
	}
	n.lookAtJoin()
	if before.ID != 0 && before.ID != after.ID { // renamed: it does not pull under that ID any more
		n.due.forget = append(n.due.forget, before.ID)
		n.rouse()
	}
	if !vouched && l.puller.Vouched() {
		n.vouched(after.ID, l.puller.Former())
		n.rouse()
	}
	return a
}

// vouched notes that a replica, which had other IDs before, has confirmed what it has of this one. The caller holds mu.
func (n *Node) vouched(id tlv.ReplicaID, former []tlv.ReplicaID) {
	delete(n.store.awaited, id)
	for _, f := range former {
		delete(n.store.awaited, f)
		if n.members.Knows(f) { // it does not pull under that ID any more
			n.due.forget = append(n.due.forget, f)
		}
	}
}

// self is what the store says of itself. The caller holds mu.
func (n *Node) self() Self {
	return Self{ID: n.engine.ReplicaID(), Life: n.engine.Life(), Vector: n.engine.Vector(), True: n.engine.True,
		Proven: n.engine.Proven, Former: n.engine.Former(), Cluster: n.engine.Cluster(), Port: n.o.Port, Confirmed: n.store.confirmed, Transfer: n.store.transfer}
}

// carryOut does what a puller wants of the store or the node, and says what came of it. false: it wants something else.
func (n *Node) carryOut(l *link, a Action) (Event, bool) {
	switch a := a.(type) {
	case Take:
		return n.take(a.Batches), true
	case Look:
		var ev Looked
		if len(a.Keys) > 0 {
			ev.Digests, ev.Err = n.engine.Digest(a.Keys)
		} else {
			ev.Digests, ev.Err = n.engine.DigestPage(a.From)
		}
		return ev, true
	case JoinCluster:
		return Done{n.engine.JoinCluster(a.Cluster)}, true
	case Rename:
		return Done{n.rename(a.Entry)}, true
	case Claim:
		n.mu.Lock()
		defer n.mu.Unlock()
		mine := n.links[l.addr] == l && n.turns.Claim(l.addr, a, n.store.transfer, n.o.now()) // one that was ended would never let go of it
		return Turn{mine}, true
	case BeginTransfer:
		return n.transferred(n.engine.BeginTransfer(a.Transfer)), true
	case MergePage:
		return n.transferred(n.engine.MergePage(a.Page, a.Next, a.Done)), true
	case FinishTransfer:
		before := n.engine.Vector()
		err := n.engine.FinishTransfer()
		n.heardOf(before)
		return n.transferred(err), true
	}
	return nil, false
}

func (n *Node) take(list []tlv.Batch) Event {
	taken, err := n.engine.ApplyAll(list)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range taken {
		n.heard[list[i].Replica] = n.o.now()
	}
	return Taken{taken, err}
}

// heardOf notes what a transfer has brought.
func (n *Node) heardOf(before tlv.Vector) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.engine.Vector() {
		if e.Stamp > before.Entry(e.Replica).Stamp {
			n.heard[e.Replica] = n.o.now()
		}
	}
}

func (n *Node) transferred(err error) Event {
	n.lookAtTransfer()
	return Done{err}
}

// Joining says that the store was made with peers and has not had all of their state yet. Once that is false it stays so.
func (n *Node) Joining() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.store.joining
}

// Ready says that what shows is not half of a state that is being fetched.
func (n *Node) Ready() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.store.transfer == nil && !n.store.joining
}

// Acked is how many peers have this replica's batches up to own durable.
func (n *Node) Acked(own tlv.Stamp) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.members.Acked(n.engine.ReplicaID(), own)
}

// AckNews is closed when one of them has more than before, or this replica gets a new ID. Ask for it before looking.
func (n *Node) AckNews() <-chan struct{} { return n.acks.Next() }
