package commands

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func infoStats(w *infoWriter, s *Server) {
	now := s.Stats.Rate()
	st := &s.Stats
	channels, patterns, shards := s.push.channels.Counts()
	keys, items, prefixes := s.push.tracking.Counts()
	w.fields(
		"total_connections_received", st.Connections.Load(),
		"total_commands_processed", s.Processed(),
		"instantaneous_ops_per_sec", int64(now.Commands),
		"total_net_input_bytes", st.InputBytes.Load(),
		"total_net_output_bytes", st.OutputBytes.Load(),
		"total_net_repl_input_bytes", 0,
		"total_net_repl_output_bytes", 0,
		"instantaneous_input_kbps", fmt.Sprintf("%.2f", now.Input/1024),
		"instantaneous_output_kbps", fmt.Sprintf("%.2f", now.Output/1024),
		"instantaneous_input_repl_kbps", "0.00",
		"instantaneous_output_repl_kbps", "0.00",
		"rejected_connections", st.Rejected.Load(),
		"sync_full", 0,
		"sync_partial_ok", 0,
		"sync_partial_err", 0,
		"expired_keys", w.engine.Expired,
		"expired_stale_perc", "0.00",
		"expired_time_cap_reached_count", 0,
		"expire_cycle_cpu_milliseconds", 0,
		"evicted_keys", 0,
		"evicted_clients", st.Evicted.Load(),
		"total_eviction_exceeded_time", 0,
		"current_eviction_exceeded_time", 0,
		"keyspace_hits", st.Hits.Load(),
		"keyspace_misses", st.Misses.Load(),
		"pubsub_channels", channels,
		"pubsub_patterns", patterns,
		"pubsubshard_channels", shards,
		"latest_fork_usec", 0,
		"total_forks", 0,
		"migrate_cached_sockets", 0,
		"slave_expires_tracked_keys", 0,
		"active_defrag_hits", 0,
		"active_defrag_misses", 0,
		"active_defrag_key_hits", 0,
		"active_defrag_key_misses", 0,
		"total_active_defrag_time", 0,
		"current_active_defrag_time", 0,
		"tracking_total_keys", keys,
		"tracking_total_items", items,
		"tracking_total_prefixes", prefixes,
		"unexpected_error_replies", 0,
		"total_error_replies", st.Errors.Load(),
		"dump_payload_sanitizations", 0,
		"total_reads_processed", st.Reads.Load(),
		"total_writes_processed", st.Writes.Load(),
		"io_threaded_reads_processed", 0,
		"io_threaded_writes_processed", 0,
		"client_query_buffer_limit_disconnections", st.QueryBuffer.Load(),
		"client_output_buffer_limit_disconnections", st.CutOff.Load(),
		"reply_buffer_shrinks", 0,
		"reply_buffer_expands", 0)
}

// Sample looks at what is only known by looking: the rates that INFO shows, flushes and sweeps that took long, and clients that do not
// read. It is called about once a second.
func (s *Server) Sample(now time.Time) {
	s.Stats.Sample(now)
	s.noteBackground(now)
	s.lookAtOutput(now)
	s.Log.sayHeldBack(now)
}

// noteBackground adds what took long in the store, if the threshold of LATENCY is set.
func (s *Server) noteBackground(now time.Time) {
	if s.Loading() {
		return
	}
	threshold, sweep := s.Config.LatencyThreshold(), s.Engine.LongestSweep()
	if threshold == 0 {
		return
	}
	flushed, flush := s.Engine.LastFlush()
	s.Stats.Latency.AddBackground(threshold, sweep, flush, flushed, now)
}

// Processed is how many commands have run.
func (s *Server) Processed() int64 { return s.Stats.Calls.Total() }

func infoCommands(w *infoWriter, s *Server) {
	for _, cmd := range w.table.called(&s.Stats.Calls) {
		w.field("cmdstat_"+cmd.FullName, s.Stats.Calls.Row(cmd.id).Line())
	}
}

func infoErrors(w *infoWriter, s *Server) {
	codes, counts := s.Stats.Calls.Errors()
	for _, code := range codes {
		w.field("errorstat_"+safeName.Replace(code), fmt.Sprintf("count=%d", counts[code]))
	}
}

// safeName makes a name of a word that a script has chosen, as Redis does.
var safeName = strings.NewReplacer("#", "_", ":", "_", "\n", "_", "\r", "_")

func infoLatency(w *infoWriter, s *Server) {
	wanted := s.Config.Load().Percentiles
	for _, cmd := range w.table.called(&s.Stats.Calls) {
		h := s.Stats.Calls.Row(cmd.id).Histogram()
		if h == nil || !s.Config.Load().Tracking {
			continue
		}
		counts, sum := h.Read()
		var parts []string
		for _, p := range wanted {
			us := float64(counts.Percentile(sum, p)) / 1000
			parts = append(parts, fmt.Sprintf("p%s=%.3f", strconv.FormatFloat(p, 'g', -1, 64), us))
		}
		w.field("latency_percentiles_usec_"+cmd.FullName, strings.Join(parts, ","))
	}
}
