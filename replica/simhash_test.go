package replica

import (
	"bytes"
	"slices"
	"strings"

	"atomiccounter/engine"
)

// Some keys of the simulation are fields of a hash: the ghosts know them as hash/field.

func cutField(name string) (hash, field []byte, ok bool) {
	return bytes.Cut([]byte(name), []byte("/"))
}

// delHash takes all fields of a hash away.
func (r *simReplica) delHash(hash string) {
	for _, key := range r.w.keys {
		if strings.HasPrefix(key, hash+"/") {
			r.cancels(key)
		}
	}
	r.do("DEL "+hash, func(p *engine.Pipeline) error { _, err := p.Del([][]byte{[]byte(hash)}); return err })
}

// checkSize compares the number of fields of the hash, and that of keys, with what shows.
func (r *simReplica) checkSize() {
	fields, keys := int64(0), int64(0)
	for _, key := range slices.Concat(r.w.keys, []string{sent, harvested}) {
		_, v := r.look(key)
		switch _, _, ok := cutField(key); {
		case !v.Exists:
		case ok:
			fields++
		default:
			keys++
		}
	}
	if fields > 0 {
		keys++
	}
	p := r.e.NewPipeline()
	n, err := p.Len([]byte("h"))
	size, sizeErr := p.Size()
	if _, commitErr := p.Commit(); err != nil || sizeErr != nil || commitErr != nil || n != fields || size != keys {
		r.w.fail("%s: the hash has %d fields, %v, %v, and the database %d keys; want %d, %d", r.name, n, err, commitErr, size, fields, keys)
	}
}
