package commands

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// memoryUsage estimates what a key takes in memory while it is cached.
func memoryUsage(c *Context, args [][]byte) {
	for options := args[3:]; len(options) > 0; options = options[2:] {
		if !same(options[0], "samples") || len(options) == 1 {
			c.syntaxError()
			return
		}
		if n, ok := c.integer(options[1]); !ok {
			return
		} else if n < 0 {
			c.syntaxError()
			return
		}
	}
	if u, ok := c.usage(args[2]); ok {
		c.Out.Int(u.Bytes)
	}
}

// small is what Redis calls very little memory, in bytes.
const small = 5 << 20

func memoryDoctor(c *Context, _ [][]byte) {
	if heapNow().used < small {
		c.Out.Verbatim("txt", "So little memory is in use that there is nothing to say of it.\n")
		return
	}
	c.Out.Verbatim("txt", "No trouble with memory was found. What is cached is bounded by cache-size.\n")
}

// memoryPurge gives memory that is free back to the system. That is work for the collector, which holds up no command; a
// transaction does not wait for it, as all would wait for that.
func memoryPurge(c *Context, _ [][]byte) {
	if c.inside {
		if c.Server.purging.CompareAndSwap(false, true) {
			go func() {
				defer c.Server.purging.Store(false)
				debug.FreeOSMemory()
			}()
		}
		c.Out.OK()
		return
	}
	c.apart(func() {
		debug.FreeOSMemory()
		c.Out.OK()
	})
}

func memoryMallocStats(c *Context, _ [][]byte) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.Out.Verbatim("txt", fmt.Sprintf("go heap: alloc %d, inuse %d, idle %d, released %d, sys %d, objects %d\n"+
		"stacks: inuse %d; other: %d\ncollections: %d, pause total %d ns\n",
		m.HeapAlloc, m.HeapInuse, m.HeapIdle, m.HeapReleased, m.HeapSys, m.HeapObjects,
		m.StackInuse, m.GCSys+m.OtherSys+m.MSpanSys+m.MCacheSys+m.BuckHashSys, m.NumGC, m.PauseTotalNs))
}

// memoryStats has Redis's fields; what there is none of here is 0.
func memoryStats(c *Context, _ [][]byte) {
	h, e := heapNow(), c.Server.Engine.Stats()
	keys := int64(0)
	for _, n := range e.Keys {
		keys += n
	}
	rss := resident(h.mapped)
	peak := c.Server.Stats.Peak(h.used)
	over := max(int64(h.used)-e.CacheBytes, 0)
	list := []any{
		"peak.allocated", int64(peak),
		"total.allocated", int64(h.used),
		"startup.allocated", int64(0),
		"replication.backlog", int64(0),
		"clients.slaves", int64(0),
		"clients.normal", c.Server.Clients.memory(),
		"cluster.links", int64(0),
		"aof.buffer", int64(0),
		"lua.caches", int64(0),
		"functions.caches", int64(0),
		"overhead.total", over,
		"keys.count", keys,
		"keys.bytes-per-key", e.CacheBytes / max(e.CacheEntries, 1),
		"dataset.bytes", e.CacheBytes,
		"dataset.percentage", 100 * float64(e.CacheBytes) / float64(max(h.used, 1)),
		"peak.percentage", 100 * float64(h.used) / float64(max(peak, 1)),
		"allocator.allocated", int64(h.used),
		"allocator.active", int64(h.mapped),
		"allocator.resident", int64(h.mapped),
		"allocator-fragmentation.ratio", float64(h.mapped) / float64(max(h.used, 1)),
		"allocator-fragmentation.bytes", int64(h.mapped) - int64(h.used),
		"allocator-rss.ratio", 1.0,
		"allocator-rss.bytes", int64(0),
		"rss-overhead.ratio", float64(rss) / float64(max(h.mapped, 1)),
		"rss-overhead.bytes", int64(rss) - int64(h.mapped),
		"fragmentation", float64(rss) / float64(max(h.used, 1)),
		"fragmentation.bytes", int64(rss) - int64(h.used),
	}
	c.Out.Map(len(list) / 2)
	for i := 0; i < len(list); i += 2 {
		c.Out.BulkString(list[i].(string))
		switch v := list[i+1].(type) {
		case int64:
			c.Out.Int(v)
		case float64:
			c.Out.Double(v)
		}
	}
}
