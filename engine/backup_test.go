package engine

import (
	"strings"
	"testing"

	"atomiccounter/tlv"
)

func TestBackupTakesANewID(t *testing.T) {
	dir := t.TempDir()
	o := Options{Logger: quiet, UpdatePeriod: AlwaysFresh}
	e, err := Open(dir+"/store", o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer e.Close()
	increment(t, e, "k", 5)
	if err := e.KeepLog(); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(dir + "/copy"); err != nil {
		t.Fatalf("Backup = %v", err)
	}
	if err := e.Backup(dir + "/copy"); err == nil {
		t.Errorf("Backup over a backup = nil; want an error")
	}
	increment(t, e, "k", 1)
	var text strings.Builder
	if err := Check(dir+"/copy", o, &text); err != nil {
		t.Errorf("Check = %v\n%s", err, text.String())
	}
	c, err := Open(dir+"/copy", o)
	if err != nil {
		t.Fatalf("Open of the copy = %v", err)
	}
	id := c.ReplicaID()
	if id == e.ReplicaID() {
		t.Errorf("the copy goes under the ID of the original")
	}
	increment(t, c, "k", 10)
	if err := c.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if c, err = Open(dir+"/copy", o); err != nil || c.ReplicaID() != id {
		t.Fatalf("second Open = %v, ID %x; want %x", err, c.ReplicaID(), id)
	}
	defer c.Close()
	for _, pair := range [][2]*Engine{{c, e}, {e, c}} {
		if err := pair[1].Flush(); err != nil {
			t.Fatal(err)
		}
		b, err := pair[1].Batches(pair[0].Vector(), pair[0].ReplicaID(), 1<<20)
		if err != nil || b.Behind != 0 {
			t.Fatalf("Batches = %+v, %v", b, err)
		}
		for _, data := range b.Batches {
			batch, _, err := tlv.ParseBatch(data)
			if err == nil {
				err = pair[0].Apply(&batch)
			}
			if err != nil {
				t.Fatalf("Apply = %v", err)
			}
		}
	}
	for _, e := range []*Engine{e, c} {
		if got, err := e.Counter("k").Get(t.Context()); got != 16 || err != nil {
			t.Errorf("Get = %d, %v; want 16", got, err)
		}
	}
}
