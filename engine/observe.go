package engine

// Change is what an observer is told of a key.
type Change uint8

const (
	Created    Change = iota // by a command: there was no such key
	Deleted                  // by Del
	Expired                  // its time had come, which is carried out here
	Arrived                  // data of other replicas may show now that did not
	Everything               // of no key: all may show another value than before, or are gone
)

// Observer is told of changes of keys while they are locked, when they can be seen: it must neither wait nor use the
// engine. The key is valid during the call; db is its database.
type Observer func(db uint8, key string, c Change)

// Observe has o told what no command did: expiries that are carried out in the background, and what arrives of
// other replicas. nil ends it.
func (e *Engine) Observe(o Observer) {
	if o == nil {
		e.watches.observer.Store(nil)
		return
	}
	e.watches.observer.Store(&o)
}

// Observe has o told of what the commands of this pipeline do, in their order; what arrives is told to the engine's.
func (p *Pipeline) Observe(o Observer) { p.observer = o }

func (e *Engine) report(en *entry, c Change) { e.reportKey(en.key(), c) }

// reportAll says that any key may have changed.
func (e *Engine) reportAll() {
	if o := e.watches.observer.Load(); o != nil {
		(*o)(0, "", Everything)
	}
}

// reportKey is of a key with its first byte before it. What happens to a field happens to its hash.
func (e *Engine) reportKey(key string, c Change) {
	if o := e.watches.observer.Load(); o != nil {
		o.tell(key, c)
	}
}

// tell is of a key as the engine has it. Of tokens no observer is told.
func (o Observer) tell(key string, c Change) {
	if !isToken(key) {
		key = named(key)
		o(key[0], key[1:], c)
	}
}

// named is the key that users know.
func named(key string) string {
	if isField(key) {
		key, _ = hashOf(key)
	}
	return key
}

func (p *Pipeline) report(en *entry, c Change) {
	switch {
	case p.quiet:
	case p.observer != nil:
		p.observer.tell(en.key(), c)
	default:
		p.e.report(en, c)
	}
}

// Changes grows with every change that a command makes.
func (p *Pipeline) Changes() uint64 { return p.changes }
