package csync

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"atomiccounter/tlv"
)

// Request is what every request begins with.
type Request struct {
	Version int64         // of the protocol; of an unknown one nothing else of the request was read
	ID      tlv.ReplicaID // of the caller
	Life    uint64
}

// SyncRequest is CSYNC.
type SyncRequest struct {
	Request
	Vector tlv.Vector      // what is durable there: its acknowledgement
	Except []tlv.ReplicaID // whose batches it does not want now; each by an EXCEPT of its own
	Former []tlv.ReplicaID // IDs that it had before; each by a FORMER of its own
	Bytes  int64           // of batches, about; 0: the default
	Port   int64           // TCP, on which the caller is to be had; 0: it does not say
	Block  time.Duration   // how long to wait for the answer not to be empty, in whole milliseconds
}

// SnapRequest is CSNAP.
type SnapRequest struct {
	Request
	Snapshot string // "": a new one
	Cursor   []byte
	Bytes    int64 // of the page, about; 0: the default
}

// DigestRequest is CDIGEST.
type DigestRequest struct {
	Request
	Keys []string
}

// maxBlock is as good as for ever, in ms, and a Duration holds it.
const maxBlock = 100 * 365 * 24 * 3600 * 1000

// Args is the request as the arguments of a command.
func (r *SyncRequest) Args() [][]byte {
	args := append(r.args("CSYNC"), tlv.AppendVector(nil, r.Vector))
	args = option(args, "BYTES", r.Bytes)
	if r.Block > 0 {
		args = option(args, "BLOCK", r.Block.Milliseconds())
	}
	if r.Port > 0 {
		args = option(args, "PORT", r.Port)
	}
	for _, id := range r.Except {
		args = append(args, []byte("EXCEPT"), []byte(Hex(id)))
	}
	for _, id := range r.Former {
		args = append(args, []byte("FORMER"), []byte(Hex(id)))
	}
	return args
}

// Args is the request as the arguments of a command.
func (r *SnapRequest) Args() [][]byte {
	args := option(r.args("CSNAP"), "BYTES", r.Bytes)
	if r.Snapshot != "" || len(r.Cursor) > 0 {
		args = append(args, []byte("RESUME"), []byte(r.Snapshot), r.Cursor)
	}
	return args
}

// Args is the request as the arguments of a command.
func (r *DigestRequest) Args() [][]byte {
	args := r.args("CDIGEST")
	for _, key := range r.Keys {
		args = append(args, []byte(key))
	}
	return args
}

func (r *Request) args(command string) [][]byte {
	return [][]byte{[]byte(command), strconv.AppendInt(nil, r.Version, 10), []byte(Hex(r.ID)), []byte(Hex(r.Life))}
}

func option(args [][]byte, name string, n int64) [][]byte {
	return append(args, []byte(name), strconv.AppendInt(nil, n, 10))
}

// ParseSyncRequest reads a CSYNC from its arguments. An error is the reply to it.
func ParseSyncRequest(args [][]byte) (r SyncRequest, err error) {
	a := Arguments{Command: "CSYNC"}
	if !a.request(&r.Request, args, 5) {
		return r, a.Err
	}
	r.Vector = a.vector(args[4])
	for rest := args[5:]; len(rest) > 0 && a.Err == nil; rest = rest[2:] {
		if len(rest) < 2 {
			a.syntaxError()
			break
		}
		switch value := rest[1]; strings.ToUpper(string(rest[0])) {
		case "BLOCK":
			r.Block = time.Duration(min(a.Count("BLOCK", value), maxBlock)) * time.Millisecond
		case "BYTES":
			r.Bytes = a.Count("BYTES", value)
		case "PORT":
			r.Port = min(a.Count("PORT", value), math.MaxUint16)
		case "EXCEPT":
			r.Except = append(r.Except, a.Replica(value))
		case "FORMER":
			r.Former = append(r.Former, a.Replica(value))
		default:
			a.syntaxError()
		}
	}
	return r, a.Err
}

// ParseSnapRequest reads a CSNAP from its arguments. An error is the reply to it.
func ParseSnapRequest(args [][]byte) (r SnapRequest, err error) {
	a := Arguments{Command: "CSNAP"}
	if !a.request(&r.Request, args, 4) {
		return r, a.Err
	}
	for rest := args[4:]; len(rest) > 0 && a.Err == nil; rest = rest[2:] {
		switch option := strings.ToUpper(string(rest[0])); {
		case option == "RESUME" && len(rest) > 2:
			r.Snapshot, r.Cursor = string(rest[1]), slices.Clone(rest[2])
			rest = rest[1:]
		case option == "BYTES" && len(rest) > 1:
			r.Bytes = a.Count("BYTES", rest[1])
		default:
			a.syntaxError()
			return r, a.Err
		}
	}
	return r, a.Err
}

// ParseDigestRequest reads a CDIGEST from its arguments. An error is the reply to it.
func ParseDigestRequest(args [][]byte) (r DigestRequest, err error) {
	a := Arguments{Command: "CDIGEST"}
	if a.request(&r.Request, args, 5) {
		for _, key := range args[4:] {
			r.Keys = append(r.Keys, string(key))
		}
	}
	return r, a.Err
}
