//go:build !mutate

package engine

// mutation is none: see mutation.go.
const mutation = ""
