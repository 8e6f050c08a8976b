// Package store has the directory of a store, and the Pebble database in it. It knows how that is kept well on a disk that may fill up
// or fail. What the records are is the engine's, but for states, which it merges.
//
//	folder.go   the directory: its format, who has it open, and copies of it
//	key.go      the keys of all records
//	options.go  how Pebble is set up, and the Host that it runs in
//	fence.go    the file system under Pebble, on which nothing changes any more once the host has failed
//	stall.go    when a commit has to wait, which Pebble may not decide
//	merger.go   how the operands of a state become one
//	scan.go     Scan walks over records, Finder looks them up
//
// Invariant: a commit counts as done only if the Host has not failed after it. Pebble never learns that its log or manifest could
// not be written.
package store
