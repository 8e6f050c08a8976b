//go:build !lockorder

package lockorder

import "sync"

type (
	Mutex   = sync.Mutex
	RWMutex = sync.RWMutex

	// Lock stands for a lock that is neither: its owner says when the lock is taken and freed.
	Lock struct{}
)

// Place gives a lock of an owner its place and key, before a second goroutine knows the lock.
func Place(lock, owner any, place int, key string) {}

// MayWait panics if the goroutine must not wait for the lock. Mutex and RWMutex ask it themselves, but for a lock that they try.
func MayWait(lock any) {}

// Taken says that the goroutine has the lock.
func Taken(*Lock) {}

// Freed says that the lock is about to be let go of, perhaps by another goroutine.
func Freed(*Lock) {}
