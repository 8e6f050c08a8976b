package engine

import (
	"atomiccounter/engine/state"
	"atomiccounter/tlv"
)

// Look gives the state of a key, as a Delta has it, with all that has arrived, and with what is pending as the next batch would
// publish it. It changes nothing that is seen.
func (d *Disk) Look(key []byte) (s tlv.State, err error) {
	p := d.engine.NewPipeline()
	en, err := p.lockKey(key)
	if err != nil {
		return s, err
	}
	p.ready(en, inTime)
	shadow := state.Key{Own: en.state.Own, Pending: en.state.Pending}
	shadow.SetStored(d.engine.self.id, en.state.Stored())
	s = shadow.Whole(d.engine.self.id)
	return s.Clone(), p.finish()
}
