package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"time"

	"atomiccounter/engine"
	"atomiccounter/tlv"
)

// open is an engine for the examples, in memory.
func open(o engine.Options) *engine.Engine {
	o.InMemory = true
	e, err := engine.Open("example", o)
	if err != nil {
		log.Fatal(err)
	}
	return e
}

func ExampleOpen() {
	e, err := engine.Open("data", engine.Options{InMemory: true, Sync: engine.Always})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Sync() == engine.Always, e.UpdatePeriod())
	fmt.Println(e.Close())
	fmt.Println(e.Close())
	// Output:
	// true 1s
	// <nil>
	// engine is closed
}

func ExampleCounter_Increment() {
	e := open(engine.Options{})
	defer e.Close()
	ctx := context.Background()
	views := e.Counter("views")
	views.Increment(ctx, 5)
	n, err := views.Increment(ctx, -2)
	fmt.Println(n, err)
	fmt.Println(e.Counter("views").Get(ctx)) // another handle on the same counter
	// Output:
	// 3 <nil>
	// 3 <nil>
}

// A value never wraps.
func ExampleCounter_Increment_overflow() {
	e := open(engine.Options{})
	defer e.Close()
	ctx := context.Background()
	c := e.Counter("full")
	c.Increment(ctx, math.MaxInt64)
	_, err := c.Increment(ctx, 1)
	fmt.Println(err, errors.Is(err, engine.ErrOverflow))
	fmt.Println(c.Get(ctx))
	// Output:
	// increment or decrement would overflow true
	// 9223372036854775807 <nil>
}

// Who does not know whether an increment was made, after a crash say, sends it again with its token.
func ExampleCounter_IncrementOnce() {
	e := open(engine.Options{})
	defer e.Close()
	ctx := context.Background()
	paid := e.Counter("paid")
	fmt.Println(paid.IncrementOnce(ctx, 30, "order-1234", time.Hour))
	fmt.Println(paid.Increment(ctx, 12))
	fmt.Println(paid.IncrementOnce(ctx, 30, "order-1234", time.Hour))
	_, err := paid.IncrementOnce(ctx, 50, "order-1234", time.Hour)
	fmt.Println(err, errors.Is(err, engine.ErrTokenUsed))
	fmt.Println(paid.Get(ctx))
	// Output:
	// 30 <nil>
	// 42 <nil>
	// 30 <nil>
	// the token was used for another increment of this key true
	// 42 <nil>
}

// Local writes are visible at once; what another replica wrote, up to the update period late.
func ExampleCounter_WithUpdatePeriod() {
	e := open(engine.Options{UpdatePeriod: time.Hour})
	defer e.Close()
	ctx := context.Background()
	lazy := e.Counter("visits")
	fresh := lazy.WithUpdatePeriod(engine.AlwaysFresh)

	lazy.Increment(ctx, 5)
	if err := e.Apply(foreign("visits", 10)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(lazy.Get(ctx))  // ours
	fmt.Println(fresh.Get(ctx)) // ours and theirs
	fmt.Println(lazy.Get(ctx))  // one counter, whatever the handle
	// Output:
	// 5 <nil>
	// 15 <nil>
	// 15 <nil>
}

// foreign is the first batch of another replica, which added n to a counter.
func foreign(key string, n int64) *tlv.Batch {
	const replica, stamp = 0xb, 1 << 40
	c := tlv.Contribution{Replica: replica, Rev: stamp, Birth: stamp, Last: stamp, Total: tlv.FromInt64(n)}
	state := tlv.State{Contributions: []tlv.Contribution{c}}
	return &tlv.Batch{Replica: replica, Stamp: stamp, Deltas: []tlv.Delta{{Key: []byte("\x00" + key), State: state}}}
}
