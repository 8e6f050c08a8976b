//go:build !lockorder

package engine

import (
	"testing"
	"unsafe"
)

// TestEntrySize: what a cached counter costs in memory is decided by the allocator's size classes.
func TestEntrySize(t *testing.T) {
	var e entry
	if size := unsafe.Sizeof(e); size != 144 {
		t.Errorf("an entry has %d bytes; want 144, a size class that shortKey fills", size)
	}
}
