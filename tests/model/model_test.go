// Package model is the executable model of the data type, and runs it.
package model

import (
	"os"
	"os/exec"
	"testing"
)

// TestWorlds: in the first worlds of model.py every replica shows what its ghost says, in those of escrow.py nothing is sold twice, and gcra.py admits
// what it may.
func TestWorlds(t *testing.T) {
	python, err := exec.LookPath("python3")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	for _, args := range [][]string{{"model.py", "0", "40"}, {"escrow.py", "300"}, {"gcra.py"}} {
		if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}
