//go:build mutate

package replica

import (
	"fmt"
	"testing"

	"atomiccounter/engine"
)

// The simulation has to notice each of the mistakes that can be built into the engine:
//
//	go test -tags mutate -run TestMutations ./replica
func TestMutations(t *testing.T) {
	defer engine.Mutate("")
	for _, mutation := range engine.Mutations() {
		engine.Mutate(mutation)
		seed, err := firstFailure(uint64(*simCount))
		if err == nil {
			t.Errorf("%s: none of %d worlds failed", mutation, *simCount)
			continue
		}
		t.Logf("%s: world %d failed: %.300v", mutation, seed, err)
	}
}

func firstFailure(count uint64) (seed uint64, err error) {
	for seed = 1; seed <= count && err == nil; seed++ {
		err = survive(seed)
	}
	return seed - 1, err
}

// survive takes a panic of a mutated engine for a failure too.
func survive(seed uint64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	_, err = simulate(seed, false, nil)
	return err
}
