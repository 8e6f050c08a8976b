package csync

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"atomiccounter/tlv"
)

// Arguments reads the arguments of a command of the replication, in order. Err is the reply to the first that is wrong.
type Arguments struct {
	Command string
	Err     error
}

// request reads what every request begins with. One of the version that is spoken here has at least so many arguments. false: there is
// nothing more to read.
func (a *Arguments) request(r *Request, args [][]byte, least int) bool {
	switch r.Version = a.Count("protocol version", args[1]); {
	case a.Err != nil || r.Version != Version:
		return false
	case len(args) < least:
		a.Err = Error("ERR wrong number of arguments for '" + strings.ToLower(a.Command) + "' command")
		return false
	}
	r.ID, r.Life = a.Replica(args[2]), a.Hex("life", args[3])
	return a.Err == nil
}

// Fail is for an argument that is wrong.
func (a *Arguments) Fail(format string, args ...any) {
	if a.Err == nil {
		a.Err = Error("ERR " + a.Command + ": " + fmt.Sprintf(format, args...))
	}
}

func (a *Arguments) syntaxError() {
	if a.Err == nil {
		a.Err = Error("ERR syntax error")
	}
}

// Count is a number that is not negative, written the one way that numbers are.
func (a *Arguments) Count(what string, arg []byte) int64 {
	n, err := strconv.ParseInt(string(arg), 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != string(arg) {
		a.Fail("%s '%s' is not a number", what, shown(arg))
	}
	return n
}

// Hex is an ID or a life.
func (a *Arguments) Hex(what string, arg []byte) uint64 {
	n, err := ParseHex[uint64](string(arg))
	if err != nil {
		a.Fail("%s '%s' is not 16 hexadecimal digits", what, shown(arg))
	}
	return n
}

// Replica is a replica ID.
func (a *Arguments) Replica(arg []byte) tlv.ReplicaID {
	return tlv.ReplicaID(a.Hex("replica ID", arg))
}

func (a *Arguments) vector(arg []byte) tlv.Vector {
	v, err := tlv.ParseVector(arg)
	if err != nil {
		a.Fail("%v", err)
	}
	return v
}

// shown is what an error repeats of an argument: at most 128 bytes, up to the first zero byte.
func shown(arg []byte) []byte {
	arg, _, _ = bytes.Cut(arg[:min(len(arg), 128)], []byte{0})
	return arg
}
