package replica

import (
	"errors"
	"slices"

	"atomiccounter/engine"
	"atomiccounter/engine/enginetest"
)

// compare checks that stores with the same batches have the same digests, whatever either has dropped meanwhile, and that no link takes
// two for divergent.
func (w *simWorld) compare(r *simReplica) {
	for _, l := range r.links {
		if named := l.link.puller.compared.named; len(named) > 0 {
			w.fail("%s takes %s for divergent in %v", r.name, l.to.name, named)
		}
	}
	for _, o := range w.replicas {
		if o == r || o.e == nil || !slices.Equal(r.e.Vector(), o.e.Vector()) {
			continue
		}
		mine, err := w.digest(r)
		theirs, other := w.digest(o)
		if err != nil || other != nil {
			continue
		}
		for i, key := range mine.Keys {
			if mine.Sums[i] != theirs.Sums[i] {
				x, _ := r.look(key[1:])
				y, _ := o.look(key[1:])
				w.fail("%s and %s have the same batches, and differ in %q: %+v and %+v", r.name, o.name, key, x, y)
			}
		}
	}
}

func (w *simWorld) digest(r *simReplica) (engine.Digests, error) {
	var keys []string
	for _, key := range append([]string{sent, harvested}, w.keys...) {
		keys = append(keys, string(enginetest.Key(key)))
	}
	d, err := r.e.Digest(keys)
	if err != nil && !errors.Is(err, engine.ErrHeld) {
		w.fail("%s: Digest = %v", r.name, err)
	}
	return d, err
}
