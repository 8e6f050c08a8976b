package engine

import (
	"slices"

	"atomiccounter/engine/store"
)

// Remember keeps a small value under a name in the store, synced; nil forgets it. It is not replicated.
func (e *Engine) Remember(name string, value []byte) error {
	c := e.committer.lock()
	defer c.unlock()
	if err := e.refusal(); err != nil {
		return err
	}
	return c.remember(name, value)
}

// remember is Remember for a store that takes writes.
func (c *committer) remember(name string, value []byte) error {
	t := c.begin(0)
	key := append([]byte{store.SettingPrefix}, name...)
	if value == nil {
		t.delete(key)
	} else {
		t.put(key, value)
	}
	return t.sync()
}

// Recall gives all that is kept under names that begin with prefix, by the rest of the name. It is the caller's.
func (e *Engine) Recall(prefix string) (map[string][]byte, error) {
	if err := e.enterScan(); err != nil {
		return nil, err
	}
	defer e.scans.RUnlock()
	return e.settings(prefix)
}

func (e *Engine) settings(prefix string) (list map[string][]byte, err error) {
	lower := append([]byte{store.SettingPrefix}, prefix...)
	list = make(map[string][]byte)
	for k, v := range store.Scan(e.db, lower, store.After(lower), &err) {
		list[string(k[len(lower):])] = slices.Clone(v)
	}
	return list, err
}

// PeerSetting begins the names under which peers are remembered. A store that has such awaits them when it is opened, as
// with Options.AwaitPeers.
const PeerSetting = "peer/"

// RenamedSetting is the name under which it is remembered when this store last took a new ID because it had forked.
const RenamedSetting = "renamed"

// PullerSetting begins the names under which it is remembered who pulls from this store. One that has such awaits them too.
const PullerSetting = "puller/"
