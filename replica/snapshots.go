package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"atomiccounter/engine"
	"atomiccounter/replica/csync"
)

// keptSnapshots holds the snapshots that are kept for callers of CSNAP, by name.
type keptSnapshots struct {
	taking sync.Mutex // from when there is room for a snapshot until it has its place; locked before the node's mu
	leases leases
	open   map[string]*engine.Snapshot
}

// take takes snapshots out, for the caller to close.
func (l *keptSnapshots) take(names []string) (gone []*engine.Snapshot) {
	for _, name := range names {
		gone = append(gone, l.open[name])
		delete(l.open, name)
	}
	return gone
}

// closeAll closes snapshots. It waits for the requests that read one.
func closeAll(list []*engine.Snapshot) error {
	var errs []error
	for _, s := range list {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Snap answers CSNAP.
func (n *Node) Snap(remote string, r csync.SnapRequest) (a csync.SnapAnswer, err error) {
	n.mu.Lock()
	self := n.self()
	err = n.judged(judge(&self, "CSNAP", remote, &r.Request))
	if err == nil {
		err = n.admit(r.ID, remote)
	}
	if err == nil {
		n.members.met(r.ID, remote, n.o.now())
		n.called(r.ID)
	}
	n.mu.Unlock()
	if err != nil {
		return a, err
	}
	done, cursor, err := unwrapCursor(r.Cursor)
	if err != nil {
		return a, err
	}
	title, snap, err := n.borrow(&r)
	if err != nil {
		return a, err
	}
	page, next, keys, err := snap.Page(cursor, size(r.Bytes, snapBytes))
	if errors.Is(err, engine.ErrClosed) && r.Snapshot != "" {
		return a, noSnapshot(r.Snapshot)
	} else if err != nil {
		return a, fmt.Errorf("snapshot: %w", err)
	}
	n.sent(r.ID, page)
	done += keys
	a = csync.SnapAnswer{ID: self.ID, Snapshot: title, Vector: snap.Vector, Keys: snap.Keys, Done: done,
		Next: wrapCursor(done, next), Page: page}
	return a, nil
}

// borrow finds the snapshot that is asked for, or takes one.
func (n *Node) borrow(r *csync.SnapRequest) (string, *engine.Snapshot, error) {
	if r.Snapshot != "" {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.snapshots.leases.Renew(r.Snapshot, n.o.now()) {
			return "", nil, noSnapshot(r.Snapshot)
		}
		return r.Snapshot, n.snapshots.open[r.Snapshot], nil
	}
	if err := n.mayServe(); err != nil {
		return "", nil, err
	}
	n.snapshots.taking.Lock()
	defer n.snapshots.taking.Unlock()
	n.mu.Lock()
	closing := n.snapshots.take(n.snapshots.leases.Replace(r.ID))
	n.mu.Unlock()
	if err := closeAll(closing); err != nil {
		return "", nil, err
	}
	snap, err := n.engine.Snapshot()
	if errors.Is(err, engine.ErrHeld) {
		return "", nil, csync.Error(csync.CodeBusy + " this replica is itself in the middle of a state transfer; ask again")
	} else if err != nil {
		return "", nil, fmt.Errorf("snapshot: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	title := csync.Hex(n.o.random())
	n.snapshots.leases.Grant(title, r.ID, snap.Vector, n.o.now())
	n.snapshots.open[title] = snap
	return title, snap, nil
}

// mayServe says whether a peer may begin to fetch this store's state. In the middle of a transfer that goes on it would get half of
// what it can have in a while. But two that wait for one another must not do so for ever.
func (n *Node) mayServe() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	self := n.self()
	switch {
	case !self.Confirmed:
		return csync.Error(csync.CodeBusy + " this replica has just begun; ask again")
	case self.Transfer != nil && !n.turns.Idle(n.o.now()):
		return csync.Error(csync.CodeBusy + " this replica is fetching a state itself; ask again")
	}
	return nil
}

func noSnapshot(name string) error {
	return csync.Error(fmt.Sprintf("%s %q is not kept here; begin again", csync.CodeNoSnapshot, name))
}

// wrapCursor puts the number of keys that are done before an engine's cursor, for the caller that resumes there.
func wrapCursor(done int64, next []byte) []byte {
	if len(next) == 0 {
		return nil
	}
	return append(binary.AppendUvarint(nil, uint64(done)), next...)
}

// unwrapCursor takes it apart. An empty cursor is the beginning.
func unwrapCursor(cursor []byte) (done int64, next []byte, err error) {
	if len(cursor) == 0 {
		return 0, nil, nil
	}
	n, size := binary.Uvarint(cursor)
	if size <= 0 || n > 1<<62 || len(cursor) == size {
		return 0, nil, csync.Error("ERR CSNAP: the cursor is malformed")
	}
	return int64(n), cursor[size:], nil
}
