package commands

// What tools and libraries ask for; see table.go.

const (
	adminAnytime = Admin | Loading | Stale
	subscribing  = PubSub | NoScript | Loading | Stale
	specialNodes = "nondeterministic_output request_policy:all_nodes response_policy:special"
	specialShard = "nondeterministic_output request_policy:all_shards response_policy:special"
	perNode      = "O(N) where N is the total number of Cluster nodes"
	unsupported  = "Always an error: this is no cluster."
)

var channelKeys = KeySpec{First: 1, Last: -1, Step: 1, Access: notKey}

// toolTable is the rows of tools.
var toolTable = []Command{
	{Name: "lastsave", Arity: 1, Flags: Loading | Stale | Fast, Categories: admin | Dangerous, Run: lastSave,
		Group: "server", Since: "1.0.0", Complexity: constant, Tips: "nondeterministic_output",
		Summary: "Returns the Unix time of the last flush to the database."},
	{Name: "save", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading | NoMulti, Run: save,
		Group: "server", Since: "1.0.0", Complexity: "O(N) where N is the number of keys that have changed of late",
		Summary: "Flushes to the database; what was acknowledged is durable without."},
	{Name: "bgsave", Arity: -1, Flags: Admin | NoScript | NoAsyncLoading, Run: bgSave,
		Group: "server", Since: "1.0.0", Complexity: constant, Args: "[SCHEDULE]",
		Summary: "Flushes to the database, as SAVE does."},
	{Name: "bgrewriteaof", Arity: 1, Flags: Admin | NoScript | NoAsyncLoading, Run: bgRewriteAOF,
		Group: "server", Since: "1.0.0", Complexity: constant,
		Summary: "Flushes to the database, after which the journal is short."},
	{Name: "replicaof", Arity: 3, Flags: Admin | NoScript | Stale | NoAsyncLoading, Run: replicaOf,
		Group: "server", Since: "5.0.0", Complexity: constant, Args: "args=host-port(host port#integer)|no-one(NO ONE)",
		Summary: "Accepts NO ONE: every server takes writes."},
	{Name: "slaveof", Arity: 3, Flags: Admin | NoScript | Stale | NoAsyncLoading, Run: replicaOf,
		Group: "server", Since: "1.0.0", Complexity: constant, Args: "args=host-port(host port#integer)|no-one(NO ONE)",
		Summary: "Accepts NO ONE, as REPLICAOF does."},
	{Name: "acl", Arity: -2, Group: "server", Since: "6.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns users, of which there is one.", Sub: aclCommands},
	{Name: "module", Arity: -2, Group: "server", Since: "4.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns modules, of which there are none.", Sub: moduleCommands},
	{Name: "function", Arity: -2, Group: "scripting", Since: "7.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns functions, of which there are none.", Sub: functionCommands},
	{Name: "fcall", Arity: -3, Flags: scripted, Categories: scripting, Keys: scriptKeys, Run: fCall,
		Group: "scripting", Since: "7.0.0", Complexity: ofScript, Args: "function numkeys [key...] [arg...]", Summary: "Always an error: there are no functions."},
	{Name: "fcall_ro", Arity: -3, Flags: scripted | ReadOnly, Categories: scripting, Keys: readScriptKeys, Run: fCall,
		Group: "scripting", Since: "7.0.0", Complexity: ofScript, Args: "function numkeys [key...] [arg...]", Summary: "Always an error: there are no functions."},
	{Name: "memory", Arity: -2, Group: "server", Since: "4.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns memory.", Sub: memoryCommands},
	{Name: "debug", Arity: -2, Flags: forAdmins | protected, Run: debugCommand,
		Group: "server", Since: "1.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Has SLEEP, if enable-debug-command allows it."},
	{Name: "slowlog", Arity: -2, Group: "server", Since: "2.2.12", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns the log of slow commands.", Sub: slowLogCommands},
	{Name: "latency", Arity: -2, Group: "server", Since: "2.8.13", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns latency.", Sub: latencyCommands},
	{Name: "monitor", Arity: 1, Flags: forAdmins, Run: monitor,
		Group: "server", Since: "1.0.0", Complexity: constant,
		Summary: "Shows every command that the server runs from now on; who reads too slowly is disconnected."},
	{Name: "cluster", Arity: -2, Group: "cluster", Since: "3.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what only a cluster has.", Sub: clusterCommands},
	{Name: "readonly", Arity: 1, Flags: Loading | Stale | Fast, Categories: Connection, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Summary: unsupported},
	{Name: "readwrite", Arity: 1, Flags: Loading | Stale | Fast, Categories: Connection, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Summary: unsupported},
	{Name: "asking", Arity: 1, Flags: Fast, Categories: Connection, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Summary: unsupported},
}

var aclCommands = []Command{
	{Name: "whoami", Arity: 2, Flags: NoScript | Loading | Stale, Run: aclWhoAmI,
		Group: "server", Since: "6.0.0", Complexity: constant, Summary: "Returns the name of the user: default."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "server", Since: "6.0.0", Complexity: constant, Summary: helpSummary},
}

var moduleCommands = []Command{
	{Name: "list", Arity: 2, Flags: Admin | NoScript, Run: moduleList,
		Group: "server", Since: "4.0.0", Complexity: constant, Tips: "nondeterministic_output_order", Summary: "Lists no modules."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "server", Since: "5.0.0", Complexity: constant, Summary: helpSummary},
}

const allShardsSucceed = "request_policy:all_shards response_policy:all_succeeded"

var functionCommands = []Command{
	{Name: "list", Arity: -2, Flags: NoScript, Categories: scripting, Run: functionList,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Args: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
		Tips: "nondeterministic_output_order", Summary: "Lists no libraries."},
	{Name: "flush", Arity: -2, Flags: Write | NoScript, Categories: scripting, Run: functionFlush,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Args: "[async=ASYNC|SYNC]",
		Tips: allShardsSucceed, Summary: "Accepted: there are no functions."},
	{Name: "stats", Arity: 2, Flags: NoScript | AllowBusy, Categories: scripting, Run: functionStats,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Tips: specialShard, Summary: "Says that there are no functions."},
	{Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Categories: scripting, Run: functionKill,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Tips: "request_policy:all_shards response_policy:one_succeeded",
		Summary: "Always an error: no function runs."},
	{Name: "dump", Arity: 2, Flags: NoScript, Categories: scripting, Run: functionDump,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Summary: "Returns what FUNCTION RESTORE takes: no functions."},
	{Name: "restore", Arity: -3, Flags: Write | DenyOOM | NoScript, Categories: scripting, Run: functionRestore,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Args: "serialized-value [policy=FLUSH|APPEND|REPLACE]",
		Tips: allShardsSucceed, Summary: "Takes the dump of no functions, and no other."},
	{Name: "delete", Arity: 3, Flags: Write | NoScript, Categories: scripting, Run: functionDelete,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Args: "library-name", Tips: allShardsSucceed,
		Summary: "Always an error: there are no functions."},
	{Name: "load", Arity: -3, Flags: Write | DenyOOM | NoScript, Categories: scripting, Run: functionLoad,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Args: "[REPLACE] function-code", Tips: allShardsSucceed,
		Summary: "Always an error: use EVAL."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: scripting, Run: help,
		Group: "scripting", Since: "7.0.0", Complexity: constant, Summary: helpSummary},
}

var memoryCommands = []Command{
	{Name: "usage", Arity: -3, Flags: ReadOnly, Run: memoryUsage,
		Keys:  KeySpec{First: 2, Last: 2, Step: 1, Access: "RO"},
		Group: "server", Since: "4.0.0", Complexity: constant, Args: "key [SAMPLES count]",
		Summary: "Estimates how many bytes a key takes in memory."},
	{Name: "doctor", Arity: 2, Run: memoryDoctor,
		Group: "server", Since: "4.0.0", Complexity: constant, Tips: specialShard, Summary: "Reports problems with memory."},
	{Name: "stats", Arity: 2, Run: memoryStats,
		Group: "server", Since: "4.0.0", Complexity: constant, Tips: specialShard, Summary: "Shows what memory is used for."},
	{Name: "purge", Arity: 2, Run: memoryPurge,
		Group: "server", Since: "4.0.0", Complexity: "Depends on how much memory is allocated",
		Tips: "request_policy:all_shards response_policy:all_succeeded", Summary: "Gives free memory back to the system."},
	{Name: "malloc-stats", Arity: 2, Run: memoryMallocStats,
		Group: "server", Since: "4.0.0", Complexity: "Depends on how much memory is allocated", Tips: specialShard,
		Summary: "Shows figures of the Go runtime's memory."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "server", Since: "4.0.0", Complexity: constant, Summary: helpSummary},
}

var slowLogCommands = []Command{
	{Name: "get", Arity: -2, Flags: adminAnytime, Run: slowLogGet,
		Group: "server", Since: "2.2.12", Complexity: "O(N) where N is the number of entries returned", Args: "[count]",
		Tips: "request_policy:all_nodes nondeterministic_output", Summary: "Shows the newest entries."},
	{Name: "len", Arity: 2, Flags: adminAnytime, Run: slowLogLen,
		Group: "server", Since: "2.2.12", Complexity: constant,
		Tips: "request_policy:all_nodes response_policy:agg_sum nondeterministic_output", Summary: "Counts the entries."},
	{Name: "reset", Arity: 2, Flags: adminAnytime, Run: slowLogReset,
		Group: "server", Since: "2.2.12", Complexity: "O(N) where N is the number of entries",
		Tips: "request_policy:all_nodes response_policy:all_succeeded", Summary: "Removes all entries."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "server", Since: "6.2.0", Complexity: constant, Summary: helpSummary},
}

var latencyCommands = []Command{
	{Name: "history", Arity: 3, Flags: forAdmins, Run: latencyHistory,
		Group: "server", Since: "2.8.13", Complexity: constant, Args: "event", Tips: specialNodes,
		Summary: "Lists the samples of an event."},
	{Name: "latest", Arity: 2, Flags: forAdmins, Run: latencyLatest,
		Group: "server", Since: "2.8.13", Complexity: constant, Tips: specialNodes,
		Summary: "Shows the latest and the worst sample of all events."},
	{Name: "reset", Arity: -2, Flags: forAdmins, Run: latencyReset,
		Group: "server", Since: "2.8.13", Complexity: constant, Args: "[event...]",
		Tips: "request_policy:all_nodes response_policy:all_succeeded", Summary: "Forgets events; replies how many."},
	{Name: "graph", Arity: 3, Flags: forAdmins, Run: latencyGraph,
		Group: "server", Since: "2.8.13", Complexity: constant, Args: "event", Tips: specialNodes,
		Summary: "Draws the samples of an event."},
	{Name: "doctor", Arity: 2, Flags: forAdmins, Run: latencyDoctor,
		Group: "server", Since: "2.8.13", Complexity: constant, Tips: specialNodes, Summary: "Reports all events in words."},
	{Name: "histogram", Arity: -2, Flags: forAdmins, Run: latencyHistogram,
		Group: "server", Since: "7.0.0", Complexity: perRow, Args: "[command...]", Tips: specialNodes,
		Summary: "Shows how long calls took, cumulated."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "server", Since: "2.8.13", Complexity: constant, Summary: helpSummary},
}

var clusterCommands = []Command{
	{Name: "info", Arity: 2, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "myid", Arity: 2, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Summary: unsupported},
	{Name: "nodes", Arity: 2, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: perNode, Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "slots", Arity: 2, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: perNode, Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "shards", Arity: 2, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "7.0.0", Complexity: perNode, Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "links", Arity: 2, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "7.0.0", Complexity: perNode, Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "keyslot", Arity: 3, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: "O(N) where N is the length of the key", Args: "key#string", Summary: unsupported},
	{Name: "countkeysinslot", Arity: 3, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Args: "slot#integer", Summary: unsupported},
	{Name: "getkeysinslot", Arity: 4, Flags: Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: "O(log(N)) where N is the number of keys", Args: "slot#integer count",
		Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "replicas", Arity: 3, Flags: Admin | Stale, Run: noCluster,
		Group: "cluster", Since: "5.0.0", Complexity: constant, Args: "node-id", Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "slaves", Arity: 3, Flags: Admin | Stale, Run: noCluster,
		Group: "cluster", Since: "3.0.0", Complexity: constant, Args: "node-id", Tips: "nondeterministic_output", Summary: unsupported},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: noCluster,
		Group: "cluster", Since: "5.0.0", Complexity: constant, Summary: unsupported},
}

// pubsubTable is the rows of messages.
var pubsubTable = []Command{
	{Name: "publish", Arity: 3, Flags: PubSub | Loading | Stale | Fast | mayWrite, Run: publish,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of listeners and patterns", Args: "channel message",
		Summary: "Sends a message to all who listen to a channel of this server; replies to how many."},
	{Name: "subscribe", Arity: -2, Flags: subscribing, Run: subscribe,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of channels", Args: "channel...",
		Summary: "Listens to channels."},
	{Name: "unsubscribe", Arity: -1, Flags: subscribing, Run: unsubscribe,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of channels", Args: "[channel...]",
		Summary: "Ends that, for all or some channels."},
	{Name: "psubscribe", Arity: -2, Flags: subscribing, Run: pSubscribe,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of patterns", Args: "pattern(pattern)...",
		Summary: "Listens to all channels that match a pattern."},
	{Name: "punsubscribe", Arity: -1, Flags: subscribing, Run: pUnsubscribe,
		Group: "pubsub", Since: "2.0.0", Complexity: "O(N) where N is the number of patterns", Args: "[pattern...]",
		Summary: "Ends that, for all or some patterns."},
	{Name: "ssubscribe", Arity: -2, Flags: subscribing, Keys: channelKeys, Run: sSubscribe,
		Group: "pubsub", Since: "7.0.0", Complexity: "O(N) where N is the number of channels", Args: "shardchannel...",
		Summary: "Listens to shard channels: channels of a name space of their own."},
	{Name: "sunsubscribe", Arity: -1, Flags: subscribing, Keys: channelKeys, Run: sUnsubscribe,
		Group: "pubsub", Since: "7.0.0", Complexity: "O(N) where N is the number of channels", Args: "[shardchannel...]",
		Summary: "Ends that, for all or some shard channels."},
	{Name: "spublish", Arity: 3, Flags: PubSub | Loading | Stale | Fast | mayWrite, Run: sPublish,
		Keys:  KeySpec{First: 1, Last: 1, Step: 1, Access: notKey},
		Group: "pubsub", Since: "7.0.0", Complexity: "O(N) where N is the number of listeners", Args: "shardchannel message",
		Summary: "Sends a message to all who listen to a shard channel of this server."},
	{Name: "pubsub", Arity: -2, Group: "pubsub", Since: "2.8.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what can be asked of channels.", Sub: pubsubCommands},
}

var pubsubCommands = []Command{
	{Name: "channels", Arity: -2, Flags: PubSub | Loading | Stale, Run: pubsubChannels,
		Group: "pubsub", Since: "2.8.0", Complexity: "O(N) where N is the number of channels", Args: "[pattern]",
		Summary: "Lists the channels that somebody listens to."},
	{Name: "numsub", Arity: -2, Flags: PubSub | Loading | Stale, Run: pubsubNumSub,
		Group: "pubsub", Since: "2.8.0", Complexity: "O(N) where N is the number of channels", Args: "[channel...]",
		Summary: "Says how many listen to channels."},
	{Name: "numpat", Arity: 2, Flags: PubSub | Loading | Stale, Run: pubsubNumPat,
		Group: "pubsub", Since: "2.8.0", Complexity: constant, Summary: "Counts the patterns that somebody listens to."},
	{Name: "shardchannels", Arity: -2, Flags: PubSub | Loading | Stale, Run: pubsubShardChannels,
		Group: "pubsub", Since: "7.0.0", Complexity: "O(N) where N is the number of channels", Args: "[pattern]",
		Summary: "Lists the shard channels that somebody listens to."},
	{Name: "shardnumsub", Arity: -2, Flags: PubSub | Loading | Stale, Run: pubsubShardNumSub,
		Group: "pubsub", Since: "7.0.0", Complexity: "O(N) where N is the number of channels", Args: "[shardchannel...]",
		Summary: "Says how many listen to shard channels."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "pubsub", Since: "6.2.0", Complexity: constant, Summary: helpSummary},
}
