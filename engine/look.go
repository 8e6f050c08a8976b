package engine

import (
	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// look gives the state of a key of the engine (tlv.ValidateKey), as a Delta has it, with all that has arrived, and with what is pending
// as the next batch would publish it. It changes nothing that is seen. Simulations look (Disk.Opened).
func (e *Engine) look(key []byte) (s tlv.State, err error) {
	p := e.NewPipeline()
	en, err := p.lockKey(key)
	if err != nil {
		return s, err
	}
	p.ready(en, inTime)
	s = en.published(e.self.id)
	return s.Clone(), p.finish()
}

// published is the state with all that has arrived or is pending, as the next batch would publish it.
func (e *entry) published(id tlv.ReplicaID) tlv.State {
	shadow := state.Key{Own: e.state().Own, Pending: e.state().Pending}
	shadow.SetStored(id, e.state().Stored())
	return shadow.Whole(id)
}
