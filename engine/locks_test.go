//go:build lockorder

package engine

import "testing"

// TestLockOrderIsAsserted: a command that is called with an entry locked waits for the admission out of order.
func TestLockOrderIsAsserted(t *testing.T) {
	e := open(t, Options{})
	put(t, e, "k", "1")
	en := e.table.get(e.self.hash([]byte("k")), "\x00k")
	en.mu.Lock()
	defer en.mu.Unlock()
	defer func() {
		if recover() == nil {
			t.Error("a command with an entry locked did not panic")
		}
	}()
	_, _, _ = e.NewPipeline().Get([]byte("j"))
}
