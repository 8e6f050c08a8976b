//go:build !lockorder

package engine

import (
	"testing"
	"unsafe"
)

// TestEntrySize: what a cached counter costs in memory is decided by the allocator's size classes.
func TestEntrySize(t *testing.T) {
	var e entry
	if size := unsafe.Sizeof(e); size != 320 {
		t.Errorf("an entry has %d bytes; want 320, a size class that shortKey fills", size)
	}
	if at := unsafe.Offsetof(e.key); at != 64 {
		t.Errorf("key is at %d; want 64, the second cache line", at)
	}
}
