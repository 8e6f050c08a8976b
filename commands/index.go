package commands

type index struct{}
