// Package lockorder asserts the order of locks that package engine documents. With the build tag lockorder a goroutine panics before
// it waits for a lock out of that order; without the tag Mutex and RWMutex are those of package sync, and all else does nothing.
//
// A lock has a place, and a key that orders it among others of the same place. Locks of different owners have no order. A lock
// that was given no place is a leaf: a goroutine that holds it waits for no other.
package lockorder

// The places that a lock may have, in the order of engine/doc.go.
const (
	leaf = iota
	Commit
	Admission
	Refreshing
	Snapshot
	Guards // each has its index as key
	Scans
	Loads
	Key // the entry of one; it has that as key, as have the next two
	Token
	Field
	Fields
	Shard
)
