//go:build !mutate

package state

const rebirth = false // see Rebirth
