package replica

import "sync"

// news wakes the callers that wait for something to happen.
type news struct {
	mu   sync.Mutex
	next chan struct{} // nil: nobody has asked since it last happened
}

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) announce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
