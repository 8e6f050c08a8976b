package engine

// maxTexts bounds the texts that one flush writes, in bytes; those of commands in flight come on top. So batches stay far
// below what a peer takes, and what the disk needs is looked at before the next that many.
const maxTexts = 32 << 20

// flushTexts flushes if there are many texts to flush. False: it cannot.
func (e *Engine) flushTexts() bool {
	if e.enterScan() == nil {
		e.checkSpace()
		e.scans.RUnlock()
	}
	c := e.committer.lock()
	defer c.unlock()
	switch {
	case e.pace.texts.Load() < maxTexts:
		return true
	case c.awaiting || c.mayCommit() != nil || e.tight():
		return false
	}
	err := c.flush()
	if err != nil {
		e.log.Error("flush", "err", err)
	}
	return err == nil
}
