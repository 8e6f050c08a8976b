package commands

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"
)

// Functions are scripts that Redis stores with the data. Here are none: what asks for them is told so, and what clears them is done.

const noFunctions = "ERR functions are not supported here: use EVAL or SCRIPT LOAD"

// noFunctionsDump is what Redis 7.0 dumps where there are none: the version of its format and a checksum.
const noFunctionsDump = "\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"

var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// intact says whether Redis 7.0 would take a dump for one: it ends in a version that it knows and a checksum, which Redis does not
// invert as Go does.
func intact(dump []byte) bool {
	end := len(dump) - 8
	return end >= 2 && binary.LittleEndian.Uint16(dump[end-2:]) <= 10 &&
		binary.LittleEndian.Uint64(dump[end:]) == ^crc64.Update(^uint64(0), jones, dump[:end])
}

func functionList(c *Context, args [][]byte) {
	var named, withCode bool
	for options := args[2:]; len(options) > 0; options = options[1:] {
		switch word := options[0]; {
		case !withCode && same(word, "withcode"):
			withCode = true
		case !named && same(word, "libraryname"):
			named = true
			if options = options[1:]; len(options) == 0 {
				c.Out.Error("ERR library name argument was not given")
				return
			}
		default:
			c.Out.Error(fmt.Sprintf("ERR Unknown argument %s", cString(word)))
			return
		}
	}
	c.Out.Array(0)
}

func functionFlush(c *Context, args [][]byte) {
	switch {
	case len(args) > 3:
		c.Out.Error(wrongSubcommand(args))
	case len(args) == 3 && !same(args[2], "sync") && !same(args[2], "async"):
		c.Out.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	default:
		c.Out.OK()
	}
}

func functionStats(c *Context, _ [][]byte) {
	c.Out.Map(2)
	c.Out.BulkString("running_script")
	c.Out.Null()
	c.Out.BulkString("engines")
	c.Out.Map(1)
	c.Out.BulkString("LUA")
	c.Out.Map(2)
	c.Out.BulkString("libraries_count")
	c.Out.Int(0)
	c.Out.BulkString("functions_count")
	c.Out.Int(0)
}

func functionKill(c *Context, _ [][]byte) {
	c.Out.Error("NOTBUSY No scripts in execution right now.")
}

func functionDump(c *Context, _ [][]byte) { c.Out.BulkString(noFunctionsDump) }

func functionRestore(c *Context, args [][]byte) {
	switch {
	case len(args) > 4:
		c.Out.Error(wrongSubcommand(args))
	case len(args) == 4 && !same(args[3], "flush") && !same(args[3], "append") && !same(args[3], "replace"):
		c.Out.Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
	case !intact(args[2]):
		c.Out.Error("ERR DUMP payload version or checksum are wrong")
	case len(args[2]) > len(noFunctionsDump):
		c.Out.Error(noFunctions)
	default:
		c.Out.OK()
	}
}

func functionDelete(c *Context, _ [][]byte) { c.Out.Error("ERR Library not found") }

func functionLoad(c *Context, _ [][]byte) { c.Out.Error(noFunctions) }

func fCall(c *Context, _ [][]byte) { c.Out.Error("ERR Function not found") }

func moduleList(c *Context, _ [][]byte) { c.Out.Array(0) }

func aclWhoAmI(c *Context, _ [][]byte) { c.Out.BulkString(defaultUser) }
