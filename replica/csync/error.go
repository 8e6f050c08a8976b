package csync

import (
	"fmt"
	"strings"

	"atomiccounter/tlv"
)

// Error is an error that goes out as the reply it is, its code first: "DUPLICATE replica …".
type Error string

func (e Error) Error() string { return string(e) }

// Codes of the errors that a responder answers with.
const (
	CodeSelf       = "SELF"
	CodeDuplicate  = "DUPLICATE"
	CodeForked     = "FORKED"
	CodeNoSnapshot = "NOSNAPSHOT"
	CodeBusy       = "BUSY"
)

// Code is the first word.
func (e Error) Code() string {
	word, _, _ := strings.Cut(string(e), " ")
	return word
}

// ErrSelf is the answer to a request of the process that answers it.
const ErrSelf = Error(CodeSelf + " this is the replica that asks")

// VersionError is the answer to a request of a version that is not spoken here. It is also what a caller makes of an answer
// of such a version, so that both sides say the same.
func VersionError(command string, version int64) Error {
	return Error(fmt.Sprintf("ERR %s: protocol version %d is not spoken here; this replica speaks %d", command, version, Version))
}

// IsVersion says whether an error is a VersionError, of either side.
func (e Error) IsVersion() bool { return strings.Contains(string(e), "protocol version") }

// DuplicateError is the answer to a request that comes from this replica's own ID in another life. It says up to where this
// process has published, so that the caller can tell whether it is a copy that lacks that.
func DuplicateError(own tlv.VectorEntry) Error {
	return Error(fmt.Sprintf("%s replica %s is my own ID, published up to %d in life %s with hash %s: the same store runs twice",
		CodeDuplicate, Hex(own.Replica), own.Stamp, Hex(own.Life), Hex(own.Hash)))
}

// ParseDuplicate reads what such an answer says; false: nothing.
func ParseDuplicate(err Error) (e tlv.VectorEntry, ok bool) {
	_, scanned := fmt.Sscanf(string(err), CodeDuplicate+" replica %x is my own ID, published up to %d in life %x with hash %x:", &e.Replica, &e.Stamp, &e.Life, &e.Hash)
	return e, scanned == nil
}
