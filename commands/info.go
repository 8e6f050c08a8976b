package commands

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"atomiccounter/commands/config"
	"atomiccounter/engine"
	"atomiccounter/replica/csync"
)

// infoSection is one part of INFO.
type infoSection struct {
	name  string
	write func(w *infoWriter, s *Server)
	asked bool // shown only if it is asked for, or all is
}

var infoSections = []infoSection{
	{name: "Server", write: infoServer},
	{name: "Clients", write: infoClients},
	{name: "Memory", write: infoMemory},
	{name: "Persistence", write: infoPersistence},
	{name: "Stats", write: infoStats},
	{name: "Replication", write: infoReplication},
	{name: "CPU", write: infoCPU},
	{name: "Modules", write: func(*infoWriter, *Server) {}},
	{name: "Commandstats", write: infoCommands, asked: true},
	{name: "Errorstats", write: infoErrors},
	{name: "Latencystats", write: infoLatency, asked: true},
	{name: "Cluster", write: infoCluster},
	{name: "Keyspace", write: infoKeyspace},
	{name: "Atomiccounter", write: infoEngine},
}

// infoWriter collects the lines of INFO. Engine is read once for all sections; it is zero while the store is loading.
type infoWriter struct {
	strings.Builder
	engine engine.Stats
	table  *index
}

func (w *infoWriter) field(name string, value any) { fmt.Fprintf(w, "%s:%v\r\n", name, value) }

// fields are names and values by turns.
func (w *infoWriter) fields(list ...any) {
	for i := 0; i < len(list); i += 2 {
		w.field(list[i].(string), list[i+1])
	}
}

func info(c *Context, args [][]byte) {
	c.EndRound(time.Now()) // what came before in this round counts, too
	w := &infoWriter{table: c.table}
	if !c.Server.Loading() {
		w.engine = c.Server.Engine.Stats()
	}
	for _, section := range infoSections {
		if !section.wanted(args[1:]) {
			continue
		}
		if w.Len() > 0 {
			w.WriteString("\r\n")
		}
		w.WriteString("# " + section.name + "\r\n")
		section.write(w, c.Server)
	}
	c.Out.Verbatim("txt", w.String())
}

func (s *infoSection) wanted(names [][]byte) bool {
	for _, name := range names {
		if same(name, strings.ToLower(s.name)) || same(name, "all") || same(name, "everything") || same(name, "default") && !s.asked {
			return true
		}
	}
	return len(names) == 0 && !s.asked
}

func infoServer(w *infoWriter, s *Server) {
	up := seconds(time.Since(s.Started))
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	w.fields(
		"redis_version", compatible,
		"redis_git_sha1", "00000000",
		"redis_git_dirty", 0,
		"redis_build_id", 0,
		"redis_mode", "standalone",
		program+"_version", s.Version,
		"os", runtime.GOOS+" "+runtime.GOARCH,
		"arch_bits", 64,
		"monotonic_clock", "Go runtime",
		"multiplexing_api", "goroutines",
		"go_version", runtime.Version(),
		"process_id", os.Getpid(),
		"process_supervised", "no",
		"run_id", s.RunID,
		"tcp_port", s.Port,
		"server_time_usec", time.Now().UnixMicro(),
		"uptime_in_seconds", up,
		"uptime_in_days", up/86400,
		"hz", s.Config.Load().Hz,
		"configured_hz", s.Config.Load().Hz,
		"lru_clock", time.Now().Unix()&(1<<24-1),
		"executable", executable,
		"config_file", s.Config.Load().File,
		"io_threads_active", 0)
}

func infoClients(w *infoWriter, s *Server) {
	watched := int64(0)
	if !s.Loading() {
		watched = s.Engine.WatchedKeys()
	}
	w.fields(
		"connected_clients", s.Clients.Count(),
		"cluster_connections", 0,
		"maxclients", s.Config.MaxClients(),
		"client_recent_max_input_buffer", s.Clients.largestInput(),
		"client_recent_max_output_buffer", s.Clients.largestOutput(),
		"blocked_clients", s.Clients.Blocked(),
		"tracking_clients", s.trackingClients(),
		"watching_clients", s.Clients.Watching(),
		"clients_in_timeout_table", 0,
		"total_watched_keys", watched)
}

// infoPersistence speaks of the journal as Redis does of its append-only file.
func infoPersistence(w *infoWriter, s *Server) {
	status := "ok"
	if w.engine.NoSpace || w.engine.Failed != nil {
		status = "err"
	}
	w.fields(
		"loading", oneIf(s.unserved()),
		"async_loading", 0,
		"current_cow_peak", 0,
		"current_cow_size", 0,
		"current_cow_size_age", 0,
		"current_fork_perc", "0.00",
		"current_save_keys_processed", 0,
		"current_save_keys_total", 0,
		"rdb_changes_since_last_save", 0,
		"rdb_bgsave_in_progress", 0,
		"rdb_last_save_time", max(w.engine.LastFlush.Unix(), 0),
		"rdb_last_bgsave_status", status,
		"rdb_last_bgsave_time_sec", int64(w.engine.LastFlushTook/time.Second),
		"rdb_current_bgsave_time_sec", -1,
		"rdb_saves", w.engine.Flushes,
		"rdb_last_cow_size", 0,
		"rdb_last_load_keys_expired", 0,
		"rdb_last_load_keys_loaded", 0,
		"aof_enabled", 1,
		"aof_rewrite_in_progress", 0,
		"aof_rewrite_scheduled", 0,
		"aof_last_rewrite_time_sec", -1,
		"aof_current_rewrite_time_sec", -1,
		"aof_last_bgrewrite_status", "ok",
		"aof_rewrites", 0,
		"aof_rewrites_consecutive_failures", 0,
		"aof_last_write_status", status,
		"aof_last_cow_size", 0,
		"module_fork_in_progress", 0,
		"module_fork_last_cow_size", 0,
		"aof_current_size", w.engine.JournalBytes,
		"aof_base_size", 0, // every flush begins it anew
		"aof_pending_rewrite", 0,
		"aof_buffer_length", w.engine.JournalBuffered,
		"aof_pending_bio_fsync", 0,
		"aof_delayed_fsync", 0) // an append waits for no sync
	infoLoading(w, s)
}

// infoReplication speaks of the peers that pull from here as Redis does of its replicas, and then of all peers in our own
// words: a line for each.
func infoReplication(w *infoWriter, s *Server) {
	peers, now := s.peers(), time.Now()
	list := pullers(peers)
	w.fields("role", "master", "connected_slaves", len(list))
	for i, p := range list {
		host, port := splitAddr(p.Addr)
		w.field(fmt.Sprintf("slave%d", i), fmt.Sprintf("ip=%s,port=%s,state=online,offset=%d,lag=%d", host, port, p.AckedOwn,
			max(millisSince(p.LastPull, now), 0)/1000))
	}
	logged := int64(0)
	if !s.Loading() {
		logged = s.Engine.LogSize()
	}
	w.fields(
		"master_failover_state", "no-failover",
		"master_replid", s.RunID,
		"master_replid2", strings.Repeat("0", 40),
		"master_repl_offset", s.offset(),
		"second_repl_offset", -1,
		"repl_backlog_active", oneIf(logged > 0),
		"repl_backlog_size", s.Config.Load().Backlog,
		"repl_backlog_first_byte_offset", 0,
		"repl_backlog_histlen", logged,
		"peers", len(peers))
	for i := range peers {
		w.field(fmt.Sprintf("peer%d", i), peerLine(&peers[i], now))
	}
}

// hexIDs writes IDs one after the other.
func hexIDs[T ~uint64](list []T) string {
	var ids []string
	for _, id := range list {
		ids = append(ids, csync.Hex(id))
	}
	return strings.Join(ids, ",")
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// peerLine is a peer's fields as Redis writes those of a replica. A text of an error has no comma in it.
func peerLine(p *csync.PeerStatus, now time.Time) string {
	var parts []string
	for _, f := range peerFields(p, now) {
		if s, ok := f.value.(string); ok {
			f.value = strings.ReplaceAll(strings.Map(oneLine, s), ",", ";")
		}
		parts = append(parts, fmt.Sprintf("%s=%v", f.name, f.value))
	}
	return strings.Join(parts, ",")
}

func infoCluster(w *infoWriter, _ *Server) { w.field("cluster_enabled", 0) }

func infoKeyspace(w *infoWriter, _ *Server) {
	for db, n := range w.engine.Keys {
		if n > 0 {
			w.field(fmt.Sprintf("db%d", db), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=%d", n, w.engine.Expires[db], w.engine.AvgTTL[db]))
		}
	}
}

// infoEngine is what Redis has no name for.
func infoEngine(w *infoWriter, s *Server) {
	w.field("version", s.Version)
	if s.Loading() {
		return
	}
	e := &w.engine
	settings := *s.Config.Load()
	settings.Sync = s.Engine.Sync() // a change that failed half way may have left the stricter one
	failed := ""
	if e.Failed != nil {
		failed = strings.Map(oneLine, e.Failed.Error())
	}
	w.fields(
		"replica_id", csync.Hex(s.Engine.ReplicaID()),
		"cluster_id", hexIDs(s.Engine.Cluster().Names),
		"former_ids", hexIDs(s.Engine.Former()),
		"ready", oneIf(s.Replication == nil || s.Replication.Ready()),
		"clock_ahead_ms", s.Engine.Ahead().Milliseconds(),
		"log_lines_dropped", s.Log.dropped(),
		"appendfsync", config.Find("appendfsync").Get(&settings),
		"update_period_ms", s.Engine.UpdatePeriod().Milliseconds(),
		"cache_size", s.Engine.CacheSize(),
		"cache_bytes", e.CacheBytes,
		"cache_entries", e.CacheEntries,
		"cache_misses", e.CacheMisses,
		"cache_evicted", e.Evicted,
		"journal_syncs", e.JournalSyncs,
		"journal_replayed", e.Replayed,
		"flushes", e.Flushes,
		"last_flush_usec", e.LastFlushTook.Microseconds(),
		"disk_bytes", e.DiskBytes,
		"no_space", config.YesOrNo(e.NoSpace),
		"failed", failed)
}

func oneLine(r rune) rune {
	if r == '\r' || r == '\n' {
		return ' '
	}
	return r
}
