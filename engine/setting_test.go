package engine

import (
	"testing"
)

func TestSettingsAreKept(t *testing.T) {
	a := newMember(t, 1, Options{})
	for name, value := range map[string]string{"peer/x:1": "", "peer/y:2": "z", "puller/1": "p"} {
		if err := a.Remember(name, []byte(value)); err != nil {
			t.Fatalf("Remember = %v", err)
		}
	}
	if err := a.Remember("peer/x:1", nil); err != nil {
		t.Fatalf("Remember nil = %v", err)
	}
	a.restart(a.disk.Crash(), false)
	got, err := a.Recall(PeerSetting)
	if err != nil || len(got) != 1 || string(got["y:2"]) != "z" {
		t.Errorf("Recall = %q, %v", got, err)
	}
	increment(t, a.Engine, "k", 1)
	if a.flush(); a.Vector().Entry(a.ReplicaID()).Stamp != 0 {
		t.Errorf("a store with peers published before it was confirmed: %v", a.Vector())
	}
}
