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

// heapFigures are what the Go runtime says of the heap, in bytes.
type heapFigures struct{ used, mapped uint64 }

func heapNow() heapFigures {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return heapFigures{samples[0].Value.Uint64(), samples[1].Value.Uint64() - samples[2].Value.Uint64()}
}

// infoMemory shows the heap as Redis shows what it has allocated.
func infoMemory(w *infoWriter, s *Server) {
	h := heapNow()
	rss, peak, total := resident(h.mapped), s.Stats.Peak(h.used), totalMemory()
	dataset := uint64(max(w.engine.CacheBytes, 0))
	w.fields(
		"used_memory", h.used,
		"used_memory_human", human(h.used),
		"used_memory_rss", rss,
		"used_memory_rss_human", human(rss),
		"used_memory_peak", peak,
		"used_memory_peak_human", human(peak),
		"used_memory_peak_perc", percent(h.used, peak),
		"used_memory_overhead", h.used-min(dataset, h.used),
		"used_memory_startup", 0,
		"used_memory_dataset", dataset,
		"used_memory_dataset_perc", percent(dataset, h.used),
		"allocator_allocated", h.used,
		"allocator_active", h.mapped,
		"allocator_resident", h.mapped,
		"total_system_memory", total,
		"total_system_memory_human", human(total))
	w.scriptMemory(s)
	w.fields(
		"maxmemory", 0,
		"maxmemory_human", "0B",
		"maxmemory_policy", s.Config.Load().MaxMemoryPolicy,
		"allocator_frag_ratio", ratio(h.mapped, h.used),
		"allocator_frag_bytes", int64(h.mapped)-int64(h.used),
		"allocator_rss_ratio", "1.00",
		"allocator_rss_bytes", 0,
		"rss_overhead_ratio", ratio(rss, h.mapped),
		"rss_overhead_bytes", int64(rss)-int64(h.mapped),
		"mem_fragmentation_ratio", ratio(rss, h.used),
		"mem_fragmentation_bytes", int64(rss)-int64(h.used),
		"mem_not_counted_for_evict", 0,
		"mem_replication_backlog", 0,
		"mem_total_replication_buffers", 0,
		"mem_clients_slaves", 0,
		"mem_clients_normal", s.Clients.memory(),
		"mem_cluster_links", 0,
		"mem_aof_buffer", 0,
		"mem_allocator", "go",
		"active_defrag_running", 0,
		"lazyfree_pending_objects", 0,
		"lazyfreed_objects", 0,
		"go_memory_limit", debug.SetMemoryLimit(-1))
}

// scriptMemory has what Redis says of scripts.
func (w *infoWriter) scriptMemory(s *Server) {
	u := s.Scripts.machine().Usage()
	w.fields(
		"used_memory_lua", u.Interpreters,
		"used_memory_vm_eval", u.Interpreters,
		"used_memory_lua_human", human(uint64(u.Interpreters)),
		"used_memory_scripts_eval", u.ScriptBytes,
		"number_of_cached_scripts", u.Scripts,
		"number_of_functions", 0,
		"number_of_libraries", 0,
		"used_memory_vm_functions", 0,
		"used_memory_vm_total", u.Interpreters,
		"used_memory_vm_total_human", human(uint64(u.Interpreters)),
		"used_memory_functions", 0,
		"used_memory_scripts", u.ScriptBytes,
		"used_memory_scripts_human", human(uint64(u.ScriptBytes)))
}

func ratio(a, b uint64) string { return fmt.Sprintf("%.2f", float64(a)/float64(max(b, 1))) }

func percent(a, b uint64) string { return fmt.Sprintf("%.2f%%", 100*float64(a)/float64(max(b, 1))) }

// totalMemory is that of the machine in bytes, as Linux tells it; elsewhere 0.
func totalMemory() uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	kib, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
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

// infoCPU has for the main thread, which runs commands in Redis, the whole process: all its threads do.
func infoCPU(w *infoWriter, _ *Server) {
	for _, who := range []struct {
		who  int
		name string
	}{{syscall.RUSAGE_SELF, ""}, {syscall.RUSAGE_CHILDREN, "_children"}, {syscall.RUSAGE_SELF, "_main_thread"}} {
		var u syscall.Rusage
		if syscall.Getrusage(who.who, &u) != nil {
			continue
		}
		w.field("used_cpu_sys"+who.name, cpuSeconds(u.Stime))
		w.field("used_cpu_user"+who.name, cpuSeconds(u.Utime))
	}
}

func cpuSeconds(t syscall.Timeval) string { return fmt.Sprintf("%d.%06d", t.Sec, t.Usec) }
