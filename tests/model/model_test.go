// Package model is the executable model of the data type, and runs it.
package model

import (
	"os"
	"os/exec"
	"testing"
)

// TestWorlds: in the first worlds of the model every replica shows what its ghost says.
func TestWorlds(t *testing.T) {
	python, err := exec.LookPath("python3")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	if out, err := exec.Command(python, "model.py", "0", "40").CombinedOutput(); err != nil {
		t.Errorf("model.py: %v\n%s", err, out)
	}
}
