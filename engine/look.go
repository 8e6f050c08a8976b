package engine

import "atomiccounter/tlv"

// Look gives the state of a key of database 0 with all that has arrived, and with what is pending as the next batch would
// publish it. It changes nothing that is seen.
func (d *Disk) Look(key []byte) (s tlv.State, err error) {
	p := d.engine.NewPipeline()
	en, err := p.exclusive(key, false)
	if err != nil {
		return s, err
	}
	shadow := entry{own: en.own, pend: en.pend}
	shadow.take(d.engine.id, en.full())
	s = shadow.whole(d.engine.id)
	return s.Clone(), p.finish()
}
