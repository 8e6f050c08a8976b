package commands

// ErrorLine is the RESP error, its code first, for an error of the engine.
func ErrorLine(err error) string { panic("unfinished") }
