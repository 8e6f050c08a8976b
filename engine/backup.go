package engine

import "fmt"

// Backup writes a marked copy of the store, as it is now, to dir, which must not exist. It takes little space at first: what
// does not change the two share by hard links, where dir is on the same file system. The process goes on meanwhile, but
// nothing is flushed.
func (e *Engine) Backup(dir string) error {
	if err := e.awaitPeers(); err != nil {
		return err
	}
	c := e.committer.lock()
	defer c.unlock()
	if e.health.closed.Load() {
		return ErrClosed
	}
	if _, err := e.options.fs.Stat(dir); err == nil {
		return fmt.Errorf("backup: %s exists already", dir)
	}
	if e.tight() {
		return fmt.Errorf("backup: %w", ErrNoSpace)
	}
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.giveAway(); err != nil {
		return err
	}
	if err := e.folder.Copy(e.db, dir); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
