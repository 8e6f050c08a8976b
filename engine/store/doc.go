// Package store is the database of a store directory: the keys of its records, and how they are read.
package store
