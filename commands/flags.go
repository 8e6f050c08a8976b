package commands

// Flags say what a command does and when it may run.
type Flags uint32

// Categories are those of ACL.
type Categories uint32

// KeySpec says which arguments are keys.
type KeySpec struct{ First, Last, Step int }
