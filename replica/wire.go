package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// syncArgs are the arguments of CSYNC.
func syncArgs(r *engine.SyncRequest, block time.Duration) []any {
	args := []any{"CSYNC", r.Version, name(r.ID), hex(r.Life), tlv.AppendVector(nil, r.Vector), "BYTES", r.Bytes}
	if block > 0 {
		args = append(args, "BLOCK", block.Milliseconds())
	}
	if r.Port > 0 {
		args = append(args, "PORT", r.Port)
	}
	for _, id := range r.Except {
		args = append(args, "EXCEPT", name(id))
	}
	for _, id := range r.Former {
		args = append(args, "FORMER", name(id))
	}
	return args
}

// snapArgs are the arguments of CSNAP.
func snapArgs(r *engine.SnapRequest) []any {
	args := []any{"CSNAP", r.Version, name(r.ID), hex(r.Life), "BYTES", r.Bytes}
	if r.Snapshot != "" {
		args = append(args, "RESUME", r.Snapshot, r.Cursor)
	}
	return args
}

// digestArgs are the arguments of CDIGEST.
func digestArgs(r *engine.DigestRequest) []any {
	args := []any{"CDIGEST", r.Version, name(r.ID), hex(r.Life)}
	for _, key := range r.Keys {
		args = append(args, key)
	}
	return args
}

// fields reads the elements of a reply in order. After the first that is not as it has to be it reads nothing any more.
type fields struct {
	rest []any
	at   int
	err  error
}

var errReply = errors.New("malformed reply")

// openReply begins to read a reply of n elements, the first of which is the protocol version.
func openReply(command string, reply any, n int) (fields, error) {
	list, ok := reply.([]any)
	if !ok || len(list) == 0 {
		return fields{}, fmt.Errorf("%w to %s: %T, not an array", errReply, command, reply)
	}
	f := fields{rest: list}
	if v := f.integer(); f.err == nil && v != Version {
		return f, versionError(command, v)
	}
	if f.err == nil && len(list) != n {
		f.err = fmt.Errorf("%w to %s: %d elements, not %d", errReply, command, len(list), n)
	}
	return f, f.err
}

func (f *fields) take() any {
	if f.err != nil {
		return nil
	}
	v := f.rest[0]
	f.rest = f.rest[1:]
	f.at++
	return v
}

func (f *fields) fail(what string, v any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: element %d is %.50q, not %s", errReply, f.at, fmt.Sprint(v), what)
	}
}

func (f *fields) integer() int64 {
	v := f.take()
	n, ok := v.(int64)
	if !ok {
		f.fail("an integer", v)
	}
	return n
}

func (f *fields) count() int64 {
	n := f.integer()
	if n < 0 {
		f.fail("a number of something", n)
	}
	return max(n, 0)
}

func (f *fields) bytes() []byte {
	v := f.take()
	s, ok := v.(string)
	if !ok {
		f.fail("a string", v)
	}
	return []byte(s)
}

func (f *fields) hex() uint64 {
	s := string(f.bytes())
	n, err := parseHex(s)
	if err != nil {
		f.fail("16 hexadecimal digits", s)
	}
	return n
}

func parseHex(s string) (uint64, error) {
	if len(s) != 16 {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 16, 64)
}

func (f *fields) replica() tlv.ReplicaID {
	n := f.hex()
	if n == 0 {
		f.fail("a replica ID", "0")
	}
	return tlv.ReplicaID(n)
}

func (f *fields) vector() tlv.Vector { return parsed(f, tlv.ParseVector) }

func (f *fields) replicas() (list []tlv.ReplicaID) {
	v := f.take()
	all, ok := v.([]any)
	if !ok {
		f.fail("an array", v)
	}
	for _, id := range all {
		s, _ := id.(string)
		n, err := parseHex(s)
		if err != nil || n == 0 {
			f.fail("an array of replica IDs", id)
			return nil
		}
		list = append(list, tlv.ReplicaID(n))
	}
	return list
}

func (f *fields) cluster() (c engine.Cluster) {
	for _, id := range f.replicas() {
		c.Names = append(c.Names, tlv.ClusterID(id))
	}
	if len(c.Names) > engine.MaxClusterNames || !slices.IsSorted(c.Names) {
		f.fail("the names of a cluster", c.Names)
	}
	c.Provisional = f.count() == 1
	return c
}

// parsed is the next element, of a format of package tlv.
func parsed[T any](f *fields, parse func([]byte) (T, error)) (v T) {
	data := f.bytes()
	if f.err != nil {
		return v
	}
	v, err := parse(data)
	if err != nil {
		f.err = fmt.Errorf("%w: element %d: %w", errReply, f.at, err)
	}
	return v
}

func (f *fields) batches() (list [][]byte) {
	v := f.take()
	all, ok := v.([]any)
	if !ok {
		f.fail("an array", v)
	}
	for _, b := range all {
		s, ok := b.(string)
		if !ok {
			f.fail("an array of batches", b)
			return nil
		}
		list = append(list, []byte(s))
	}
	return list
}

// parseSync reads the answer to CSYNC as go-redis gives it. A batch that cannot be read spoils only what follows it.
func parseSync(reply any) (ev Synced, err error) {
	f, err := openReply("CSYNC", reply, 12)
	if err != nil {
		return ev, err
	}
	a := &ev.Answer
	a.ID, a.Life, a.Clock, a.Vector, a.Former = f.replica(), f.hex(), f.count(), f.vector(), f.replicas()
	a.Cluster = f.cluster()
	switch status := string(f.bytes()); status {
	case "ok":
	case "state":
		a.NeedState = true
	default:
		f.fail("ok or state", status)
	}
	a.Left, a.LeftKeys = f.count(), f.count()
	for _, data := range f.batches() {
		b, err := parseBatch(data)
		if err != nil {
			ev.Err = err
			break
		}
		ev.Batches = append(ev.Batches, b)
	}
	return ev, f.err
}

func parseBatch(data []byte) (tlv.Batch, error) {
	b, rest, err := tlv.ParseBatch(data)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("batch: %d bytes too many", len(rest))
	}
	return b, err
}

// parseSnap reads the answer to CSNAP as go-redis gives it.
func parseSnap(reply any) (a engine.SnapAnswer, err error) {
	f, err := openReply("CSNAP", reply, 8)
	if err != nil {
		return a, err
	}
	a.ID, a.Snapshot, a.Vector = f.replica(), string(f.bytes()), f.vector()
	if f.err == nil && a.Snapshot == "" {
		f.fail("the name of a snapshot", "")
	}
	a.Keys, a.Done, a.Next, a.Page = f.count(), f.count(), f.bytes(), f.bytes()
	return a, f.err
}

// parseDigest reads the answer to CDIGEST as go-redis gives it.
func parseDigest(reply any) (a engine.DigestAnswer, err error) {
	f, err := openReply("CDIGEST", reply, 4)
	if err != nil {
		return a, err
	}
	a.ID, a.Vector = f.replica(), f.vector()
	sums := f.bytes()
	for ; len(sums) >= 8; sums = sums[8:] {
		a.Sums = append(a.Sums, binary.LittleEndian.Uint64(sums))
	}
	if len(sums) > 0 {
		f.fail("digests", "")
	}
	return a, f.err
}

// wrapCursor puts the number of keys that are done before an engine's cursor, for the one who resumes there.
func wrapCursor(done int64, next []byte) []byte {
	if len(next) == 0 {
		return nil
	}
	return append(binary.AppendUvarint(nil, uint64(done)), next...)
}

// unwrapCursor takes it apart. An empty cursor is the beginning.
func unwrapCursor(cursor []byte) (done int64, next []byte, err error) {
	if len(cursor) == 0 {
		return 0, nil, nil
	}
	n, size := binary.Uvarint(cursor)
	if size <= 0 || n > 1<<62 || len(cursor) == size {
		return 0, nil, engine.PeerError("ERR CSNAP: the cursor is malformed")
	}
	return int64(n), cursor[size:], nil
}
