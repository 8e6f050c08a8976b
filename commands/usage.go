package commands

import (
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
)

// infoMemory shows the heap as Redis shows what it has allocated.
func infoMemory(w *infoWriter, _ *Server) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	used := samples[0].Value.Uint64()
	mapped := samples[1].Value.Uint64() - samples[2].Value.Uint64()
	rss := resident(mapped)
	w.fields(
		"used_memory", used,
		"used_memory_human", human(used),
		"used_memory_rss", rss,
		"used_memory_rss_human", human(rss),
		"used_memory_dataset", w.engine.CacheBytes,
		"allocator_allocated", used,
		"allocator_resident", mapped,
		"maxmemory", 0,
		"maxmemory_human", "0B",
		"maxmemory_policy", "noeviction",
		"mem_fragmentation_ratio", fmt.Sprintf("%.2f", float64(rss)/float64(max(used, 1))),
		"mem_allocator", "go",
		"go_memory_limit", debug.SetMemoryLimit(-1))
}

// resident is the process's resident set in bytes, as Linux tells it; elsewhere what the Go runtime has mapped.
func resident(mapped uint64) uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return mapped
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return mapped
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return mapped
	}
	return pages * uint64(os.Getpagesize())
}

func human(n uint64) string {
	f, unit := float64(n), 0
	for f >= 1024 && unit < 4 {
		f, unit = f/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%dB", n)
	}
	return fmt.Sprintf("%.2f%c", f, "BKMGT"[unit])
}

func infoCPU(w *infoWriter, _ *Server) {
	for _, who := range []struct {
		who  int
		name string
	}{{syscall.RUSAGE_SELF, ""}, {syscall.RUSAGE_CHILDREN, "_children"}} {
		var u syscall.Rusage
		if syscall.Getrusage(who.who, &u) != nil {
			continue
		}
		w.field("used_cpu_sys"+who.name, cpuSeconds(u.Stime))
		w.field("used_cpu_user"+who.name, cpuSeconds(u.Utime))
	}
}

func cpuSeconds(t syscall.Timeval) string { return fmt.Sprintf("%d.%06d", t.Sec, t.Usec) }
