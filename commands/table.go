package commands

// What rows have in common.
var (
	readKey   = KeySpec{First: 1, Last: 1, Step: 1, Access: "RO access"}
	lookAtKey = KeySpec{First: 1, Last: 1, Step: 1, Access: "RO"}
	updateKey = KeySpec{First: 1, Last: 1, Step: 1, Access: "RW access update"}
	retimeKey = KeySpec{First: 1, Last: 1, Step: 1, Access: "RW update"}
	writeKey  = KeySpec{First: 1, Last: 1, Step: 1, Access: "OW update"}
	growKey   = KeySpec{First: 1, Last: 1, Step: 1, Access: "RW insert"}
	insertKey = KeySpec{First: 1, Last: 1, Step: 1, Access: "OW insert"}
	takeKey   = KeySpec{First: 1, Last: 1, Step: 1, Access: "RW access delete"}
	setKey    = KeySpec{First: 1, Last: 1, Step: 1, Access: "RW access update variable_flags"}
	twoKeys   = KeySpec{First: 1, Last: 2, Step: 1, Access: "RW access delete; OW update"}
)

// What a script does with its keys nobody knows.
var (
	scriptKeys     = KeySpec{Count: 2, Access: "RW access update"}
	readScriptKeys = KeySpec{Count: 2, Access: "RO access"}
)

func allKeys(access string) KeySpec { return KeySpec{First: 1, Last: -1, Step: 1, Access: access} }

func pairs(access string) KeySpec { return KeySpec{First: 1, Last: -1, Step: 2, Access: access} }

const (
	always    = NoScript | Loading | Stale | Fast | NoAuth | AllowBusy // what a connection may do at any time
	scripted  = NoScript | Stale | SkipMonitor | NoMandatoryKeys | MovableKeys
	forAdmins = Admin | NoScript | Loading | Stale

	inTransactions = NoScript | Loading | Stale | AtOnce

	constant  = "O(1)"
	ofLength  = "O(N) where N is the length of the value"
	perKey    = "O(N) where N is the number of keys"
	perClient = "O(N) where N is the number of clients"
	ofScript  = "Depends on the script."
	perRow    = "O(N) where N is the number of commands"

	shards    = "request_policy:multi_shard"
	sumShards = "request_policy:multi_shard response_policy:agg_sum"
	allShards = "request_policy:all_shards response_policy:all_succeeded"

	expiration = "EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds"
	condition  = "[condition=NX|XX|GT|LT]"
)

// table is every command there is. Dispatch, COMMAND, the categories and the tests read it.
var table = []Command{
	// Counters.
	{Name: "incr", Arity: 2, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: incr,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key",
		Summary: "Adds 1 to a counter, which starts at 0."},
	{Name: "decr", Arity: 2, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: decr,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key",
		Summary: "Subtracts 1 from a counter, which starts at 0."},
	{Name: "incrby", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: incrBy,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key increment",
		Summary: "Adds an integer to a counter, which starts at 0."},
	{Name: "decrby", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: decrBy,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key decrement",
		Summary: "Subtracts an integer from a counter, which starts at 0."},
	{Name: "increx", Arity: -2, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: incrEx,
		Group: "string", Since: "8.8.0", Complexity: constant,
		Args:    "key [BYINT increment] [LBOUND lower] [UBOUND upper] [SATURATE] [expiration=" + expiration + "|PERSIST] [ENX]",
		Summary: "Adds to a counter within bounds and sets its expiry; replies the value and what was added."},
	{Name: "cnew", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: insertKey, Run: cNew,
		Group: "counter", Since: "1.0.0", Complexity: constant, Args: "key kind=NATURAL|ZCOUNTER",
		Summary: "Creates a counter of the given kind; replies 0 if it is there already."},
	{Name: "cinfo", Arity: 2, Flags: ReadOnly, Categories: String, Keys: readKey, Run: cInfo,
		Group: "counter", Since: "1.0.0", Complexity: "O(N) where N is the number of replicas", Args: "key",
		Summary: "Shows a counter's kind, value, expiry and what each replica contributed."},
	{Name: "cmerge", Arity: -3, Flags: Write | DenyOOM | NoScript | NoMulti, Categories: String, Keys: pairs("RW update"), Run: cMerge,
		Group: "counter", Since: "1.0.0", Complexity: perKey, Args: "key_payload(key payload)...",
		Summary: "Joins states of counters made elsewhere, all or none; to do it again changes nothing."},
	{Name: "cdump", Arity: -2, Flags: ReadOnly | NoScript | NoMulti, Categories: String, Keys: readKey, Run: cDump,
		Group: "counter", Since: "1.0.0", Complexity: "O(N) where N is the number of replicas", Args: "key [RDX]",
		Summary: "Returns the state of a counter for CMERGE, or its plain value in the RDX format."},

	// Values.
	{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Categories: String, Keys: readKey, Run: get,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key",
		Summary: "Returns the value of a key."},
	{Name: "set", Arity: -3, Flags: Write | DenyOOM, Categories: String, Keys: setKey, Run: set,
		Group: "string", Since: "1.0.0", Complexity: constant,
		Args:    "key value [condition=NX|XX] [GET] [expiration=" + expiration + "|KEEPTTL]",
		Summary: "Makes a string the value of a key, in place of all that is observed; an integer can be added to."},
	{Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: insertKey, Run: setNX,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key value",
		Summary: "Sets a key that does not exist."},
	{Name: "setex", Arity: 4, Flags: Write | DenyOOM, Categories: String, Keys: writeKey, Run: setEX,
		Group: "string", Since: "2.0.0", Complexity: constant, Args: "key seconds value",
		Summary: "Sets a key that expires after some seconds."},
	{Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Categories: String, Keys: writeKey, Run: pSetEX,
		Group: "string", Since: "2.6.0", Complexity: constant, Args: "key milliseconds value",
		Summary: "Sets a key that expires after some milliseconds."},
	{Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: getSet,
		Group: "string", Since: "1.0.0", Complexity: constant, Args: "key value",
		Summary: "Sets a key and returns exactly what that took away."},
	{Name: "getdel", Arity: 2, Flags: Write | Fast, Categories: String, Keys: takeKey, Run: getDel,
		Group: "string", Since: "6.2.0", Complexity: constant, Args: "key",
		Summary: "Deletes a key and returns exactly what that took away: a harvest without loss."},
	{Name: "getex", Arity: -2, Flags: Write | Fast, Categories: String, Keys: updateKey, Run: getEX,
		Group: "string", Since: "6.2.0", Complexity: constant, Args: "key [expiration=" + expiration + "|PERSIST]",
		Summary: "Returns the value of a key and changes its expiry."},
	{Name: "mget", Arity: -2, Flags: ReadOnly | Fast, Categories: String, Keys: allKeys("RO access"), Run: mGet,
		Group: "string", Since: "1.0.0", Complexity: perKey, Args: "key...", Tips: shards,
		Summary: "Returns the values of several keys at one moment."},
	{Name: "mset", Arity: -3, Flags: Write | DenyOOM, Categories: String, Keys: pairs("OW update"), Run: mSet,
		Group: "string", Since: "1.0.1", Complexity: perKey, Args: "key_value(key value)...",
		Tips: shards + " response_policy:all_succeeded", Summary: "Sets several keys at once."},
	{Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Categories: String, Keys: pairs("OW insert"), Run: mSetNX,
		Group: "string", Since: "1.0.1", Complexity: perKey, Args: "key_value(key value)...",
		Tips: shards + " response_policy:agg_min", Summary: "Sets several keys at once if none of them exists."},
	{Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, Categories: String, Keys: lookAtKey, Run: strLen,
		Group: "string", Since: "2.2.0", Complexity: constant, Args: "key",
		Summary: "Returns the length of a value in bytes."},

	{Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: growKey, Run: appendTo,
		Group: "string", Since: "2.0.0", Complexity: ofLength, Args: "key value",
		Summary: "Appends a string to a value, which is empty where there is none; replies the length."},
	{Name: "setrange", Arity: 4, Flags: Write | DenyOOM, Categories: String, Keys: retimeKey, Run: setRange,
		Group: "string", Since: "2.2.0", Complexity: ofLength, Args: "key offset value",
		Summary: "Overwrites a part of a value; replies the length."},
	{Name: "getrange", Arity: 4, Flags: ReadOnly, Categories: String, Keys: readKey, Run: getRange,
		Group: "string", Since: "2.4.0", Complexity: ofLength, Args: "key start end",
		Summary: "Returns a part of a value."},
	{Name: "substr", Arity: 4, Flags: ReadOnly, Categories: String, Keys: readKey, Run: getRange,
		Group: "string", Since: "1.0.0", Complexity: ofLength, Args: "key start end",
		Summary: "Returns a part of a value, as GETRANGE does."},
	{Name: "incrbyfloat", Arity: 3, Flags: Write | DenyOOM | Fast, Categories: String, Keys: updateKey, Run: incrByFloat,
		Group: "string", Since: "2.6.0", Complexity: constant, Args: "key increment#double",
		Summary: "Reads a number, adds to it and sets the sum: unlike INCRBY, of concurrent ones the last wins."},

	// Keys.
	{Name: "del", Arity: -2, Flags: Write, Categories: Keyspace, Keys: allKeys("RM delete"), Run: del,
		Group: "generic", Since: "1.0.0", Complexity: perKey, Args: "key...", Tips: sumShards,
		Summary: "Deletes counters; what other replicas add at the same time survives."},
	{Name: "unlink", Arity: -2, Flags: Write | Fast, Categories: Keyspace, Keys: allKeys("RM delete"), Run: del,
		Group: "generic", Since: "4.0.0", Complexity: perKey, Args: "key...", Tips: sumShards,
		Summary: "Deletes counters, as DEL does."},
	{Name: "exists", Arity: -2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: allKeys("RO"), Run: exists,
		Group: "generic", Since: "1.0.0", Complexity: perKey, Args: "key...", Tips: sumShards,
		Summary: "Counts which of the keys exist."},
	{Name: "touch", Arity: -2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: allKeys("RO"), Run: exists,
		Group: "generic", Since: "3.2.1", Complexity: perKey, Args: "key...", Tips: sumShards,
		Summary: "Counts which of the keys exist, and brings them into memory."},
	{Name: "type", Arity: 2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: lookAtKey, Run: typeOf,
		Group: "generic", Since: "1.0.0", Complexity: constant, Args: "key",
		Summary: "Says string for a key, none where there is none."},
	{Name: "keys", Arity: 2, Flags: ReadOnly, Categories: Keyspace | Dangerous, Run: keys,
		Group: "generic", Since: "1.0.0", Complexity: "O(N) where N is the number of keys in the database", Args: "pattern",
		Tips: "request_policy:all_shards nondeterministic_output_order", Summary: "Lists all keys that match a pattern."},
	{Name: "scan", Arity: -2, Flags: ReadOnly, Categories: Keyspace, Run: scan,
		Group: "generic", Since: "2.8.0", Complexity: "O(COUNT) for each call",
		Args: "cursor [MATCH pattern] [COUNT count] [TYPE type]", Tips: "nondeterministic_output request_policy:special",
		Summary: "Lists keys a few at a time; every key that stays is listed at least once."},
	{Name: "randomkey", Arity: 1, Flags: ReadOnly, Categories: Keyspace, Run: randomKey,
		Group: "generic", Since: "1.0.0", Complexity: constant, Tips: "request_policy:all_shards nondeterministic_output",
		Summary: "Returns some key of the database."},
	{Name: "object", Arity: -2, Group: "generic", Since: "2.2.3", Complexity: "Depends on the subcommand.",
		Summary: "Container of what can be asked of a key's value.", Sub: objectCommands},
	{Name: "rename", Arity: 3, Flags: Write, Categories: Keyspace, Keys: twoKeys, Run: noRename,
		Group: "generic", Since: "1.0.0", Complexity: constant, Args: "key newkey",
		Summary: "Not supported: says why."},
	{Name: "renamenx", Arity: 3, Flags: Write | Fast, Categories: Keyspace, Run: noRename,
		Keys:  KeySpec{First: 1, Last: 2, Step: 1, Access: "RW access delete; OW insert"},
		Group: "generic", Since: "1.0.0", Complexity: constant, Args: "key newkey",
		Summary: "Not supported: says why."},
	{Name: "copy", Arity: -3, Flags: Write | DenyOOM, Categories: Keyspace, Run: noCopy,
		Keys:  KeySpec{First: 1, Last: 2, Step: 1, Access: "RO access; OW update"},
		Group: "generic", Since: "6.2.0", Complexity: constant, Args: "source destination [DB destination-db] [REPLACE]",
		Summary: "Not supported: says why."},
	{Name: "move", Arity: 3, Flags: Write | Fast, Categories: Keyspace, Keys: updateKey, Run: noMove,
		Group: "generic", Since: "1.0.0", Complexity: constant, Args: "key db",
		Summary: "Not supported: says why."},
	{Name: "swapdb", Arity: 3, Flags: Write | Fast, Categories: Keyspace | Dangerous, Run: noMove,
		Group: "server", Since: "4.0.0", Complexity: constant, Args: "index1 index2",
		Summary: "Not supported: says why."},
	{Name: "flushdb", Arity: -1, Flags: Write | Wipes, Categories: Keyspace | Dangerous, Run: flushDB,
		Group: "server", Since: "1.0.0", Complexity: "O(N) where N is the number of keys in the database",
		Args: "[async=ASYNC|SYNC]", Tips: allShards, Summary: "Deletes every key of the database."},
	{Name: "flushall", Arity: -1, Flags: Write | Wipes, Categories: Keyspace | Dangerous, Run: flushAll,
		Group: "server", Since: "1.0.0", Complexity: "O(N) where N is the number of keys in all databases",
		Args: "[async=ASYNC|SYNC]", Tips: allShards, Summary: "Deletes every key of all databases."},
	{Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast, Categories: Keyspace, Run: dbSize,
		Group: "server", Since: "1.0.0", Complexity: constant, Tips: "request_policy:all_shards response_policy:agg_sum",
		Summary: "Counts the keys of the database."},

	// Expiry.
	{Name: "expire", Arity: -3, Flags: Write | Fast, Categories: Keyspace, Keys: retimeKey, Run: expire,
		Group: "generic", Since: "1.0.0", Complexity: constant, Args: "key seconds " + condition,
		Summary: "Lets a key expire after some seconds."},
	{Name: "pexpire", Arity: -3, Flags: Write | Fast, Categories: Keyspace, Keys: retimeKey, Run: pExpire,
		Group: "generic", Since: "2.6.0", Complexity: constant, Args: "key milliseconds " + condition,
		Summary: "Lets a key expire after some milliseconds."},
	{Name: "expireat", Arity: -3, Flags: Write | Fast, Categories: Keyspace, Keys: retimeKey, Run: expireAt,
		Group: "generic", Since: "1.2.0", Complexity: constant, Args: "key unix-time-seconds " + condition,
		Summary: "Lets a key expire at a Unix time in seconds."},
	{Name: "pexpireat", Arity: -3, Flags: Write | Fast, Categories: Keyspace, Keys: retimeKey, Run: pExpireAt,
		Group: "generic", Since: "2.6.0", Complexity: constant, Args: "key unix-time-milliseconds " + condition,
		Summary: "Lets a key expire at a Unix time in milliseconds."},
	{Name: "ttl", Arity: 2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: readKey, Run: ttl,
		Group: "generic", Since: "1.0.0", Complexity: constant, Args: "key", Tips: "nondeterministic_output",
		Summary: "Returns the seconds until a key expires; -1: never, -2: no such key."},
	{Name: "pttl", Arity: 2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: readKey, Run: pTTL,
		Group: "generic", Since: "2.6.0", Complexity: constant, Args: "key", Tips: "nondeterministic_output",
		Summary: "Returns the milliseconds until a key expires; -1: never, -2: no such key."},
	{Name: "expiretime", Arity: 2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: readKey, Run: expireTime,
		Group: "generic", Since: "7.0.0", Complexity: constant, Args: "key",
		Summary: "Returns the Unix time in seconds at which a key expires; -1: never, -2: no such key."},
	{Name: "pexpiretime", Arity: 2, Flags: ReadOnly | Fast, Categories: Keyspace, Keys: readKey, Run: pExpireTime,
		Group: "generic", Since: "7.0.0", Complexity: constant, Args: "key",
		Summary: "Returns the Unix time in milliseconds at which a key expires; -1: never, -2: no such key."},
	{Name: "persist", Arity: 2, Flags: Write | Fast, Categories: Keyspace, Keys: retimeKey, Run: persist,
		Group: "generic", Since: "2.2.0", Complexity: constant, Args: "key",
		Summary: "Takes the expiry of a key away."},

	// Replication.
	{Name: "csync", Arity: -2, Flags: forAdmins | NoMulti, Run: cSync,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the number of keys in the batches",
		Args:    "version replica-id life version-vector [BLOCK milliseconds] [BYTES bytes] [EXCEPT except-id]...",
		Summary: "Gives a peer the batches that it lacks, and takes its acknowledgement; waits for some if it may."},
	{Name: "csnap", Arity: -2, Flags: forAdmins | NoMulti, Run: cSnap,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the number of keys in the page",
		Args:    "version replica-id life [RESUME resume(snapshot-id snapshot-cursor)] [BYTES bytes]",
		Summary: "Gives a peer a page of a snapshot of the state."},
	{Name: "cpeer", Arity: -2, Group: "replication", Since: "1.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns the peers that this replica pulls from.", Sub: peerCommands},
	{Name: "cforget", Arity: 2, Flags: Write | forAdmins | NoMulti, Run: cForget,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the number of keys in the store", Args: "replica-id",
		Summary: "Drops what is cancelled of a replica that will not come back; replies of how many keys."},
	{Name: "cbackup", Arity: 2, Flags: forAdmins | NoMulti, Run: cBackup,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the size of the store, far less on the same file system",
		Args:    "directory",
		Summary: "Writes a copy of the store to a new directory; opened, it is a replica of its own."},
	{Name: "ctoken", Arity: 1, Flags: NoScript | NoMulti | Loading | Stale, Categories: Connection, Run: cToken,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the number of replicas",
		Summary: "Returns a token of all that shows here now, for CWAIT at another replica."},
	{Name: "cwait", Arity: 3, Flags: NoScript | NoMulti, Categories: Connection, Run: cWait,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the number of replicas", Args: "token timeout",
		Summary: "Waits until this replica shows what another showed when it gave the token; replies 0 if that takes too long."},
	{Name: "wait", Arity: 3, Flags: NoScript, Categories: Connection, Run: wait,
		Group: "generic", Since: "3.0.0", Complexity: constant, Args: "numreplicas timeout",
		Tips:    "request_policy:all_shards response_policy:agg_min",
		Summary: "Waits until so many peers have made durable what this connection wrote; replies how many have."},
	{Name: "role", Arity: 1, Flags: always &^ (NoAuth | AllowBusy), Categories: admin | Dangerous, Run: role,
		Group: "server", Since: "2.8.12", Complexity: constant,
		Summary: "Says master, up to where this replica has published, and which peers pull from it."},

	// Scripts.
	{Name: "eval", Arity: -3, Flags: scripted, Categories: scripting, Keys: scriptKeys, Run: eval,
		Group: "scripting", Since: "2.6.0", Complexity: ofScript, Args: "script numkeys [key...] [arg...]",
		Summary: "Runs a script in Lua, with nobody else running."},
	{Name: "evalsha", Arity: -3, Flags: scripted, Categories: scripting, Keys: scriptKeys, Run: evalSHA,
		Group: "scripting", Since: "2.6.0", Complexity: ofScript, Args: "sha1 numkeys [key...] [arg...]",
		Summary: "Runs a script that is known by its SHA-1."},
	{Name: "eval_ro", Arity: -3, Flags: ReadOnly | scripted, Categories: scripting, Keys: readScriptKeys, Run: evalRO,
		Group: "scripting", Since: "7.0.0", Complexity: ofScript, Args: "script numkeys [key...] [arg...]",
		Summary: "Runs a script that only reads."},
	{Name: "evalsha_ro", Arity: -3, Flags: ReadOnly | scripted, Categories: scripting, Keys: readScriptKeys, Run: evalSHARO,
		Group: "scripting", Since: "7.0.0", Complexity: ofScript, Args: "sha1 numkeys [key...] [arg...]",
		Summary: "Runs a script that only reads and is known by its SHA-1."},
	{Name: "script", Arity: -2, Group: "scripting", Since: "2.6.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns scripts.", Sub: scriptCommands},

	// Transactions.
	{Name: "multi", Arity: 1, Flags: inTransactions | Fast | AllowBusy, Categories: Transaction, Run: multi,
		Group: "transactions", Since: "1.2.0", Complexity: constant,
		Summary: "Queues the commands that follow, up to EXEC."},
	{Name: "exec", Arity: 1, Flags: inTransactions | SkipSlowlog, Categories: Transaction, Run: execute,
		Group: "transactions", Since: "1.2.0", Complexity: "Depends on the commands in the transaction",
		Summary: "Runs what is queued, alone and as one; nothing if a watched key has changed."},
	{Name: "discard", Arity: 1, Flags: inTransactions | Fast | AllowBusy, Categories: Transaction, Run: discard,
		Group: "transactions", Since: "2.0.0", Complexity: "O(N) where N is the number of queued commands",
		Summary: "Forgets what is queued."},
	{Name: "watch", Arity: -2, Flags: inTransactions | Fast | AllowBusy, Categories: Transaction, Keys: allKeys("RO"), Run: watch,
		Group: "transactions", Since: "2.2.0", Complexity: perKey, Args: "key...",
		Summary: "Makes the next EXEC do nothing if one of the keys changes before it."},
	{Name: "unwatch", Arity: 1, Flags: NoScript | Loading | Stale | Fast | AllowBusy, Categories: Transaction, Run: unwatch,
		Group: "transactions", Since: "2.2.0", Complexity: perKey,
		Summary: "Ends all watches."},

	// Connections.
	{Name: "ping", Arity: -1, Flags: Fast, Categories: Connection, Run: ping,
		Group: "connection", Since: "1.0.0", Complexity: constant, Args: "[message]", Tips: allShards,
		Summary: "Answers, with the message if there is one."},
	{Name: "echo", Arity: 2, Flags: Loading | Stale | Fast, Categories: Connection, Run: echo,
		Group: "connection", Since: "1.0.0", Complexity: constant, Args: "message",
		Summary: "Returns the message."},
	{Name: "quit", Arity: -1, Flags: always | AtOnce, Categories: Connection, Run: quit,
		Group: "connection", Since: "1.0.0", Complexity: constant,
		Summary: "Ends the connection once all replies are sent."},
	{Name: "reset", Arity: 1, Flags: always | AtOnce, Categories: Connection, Run: reset,
		Group: "connection", Since: "6.2.0", Complexity: constant,
		Summary: "Brings the connection back to how it was when it was opened."},
	{Name: "hello", Arity: -1, Flags: always, Categories: Connection, Run: hello,
		Group: "connection", Since: "6.0.0", Complexity: constant,
		Args:    "[arguments(protover [AUTH username_password(username password)] [SETNAME clientname])]",
		Summary: "Chooses the protocol, and authenticates and names the client."},
	{Name: "auth", Arity: -2, Flags: always, Categories: Connection, Run: auth,
		Group: "connection", Since: "1.0.0", Complexity: constant, Args: "[username] password",
		Summary: "Authenticates the client."},
	{Name: "select", Arity: 2, Flags: Loading | Stale | Fast, Categories: Connection, Run: selectDB,
		Group: "connection", Since: "1.0.0", Complexity: constant, Args: "index",
		Summary: "Selects a database, 0 to 15."},
	{Name: "client", Arity: -2, Group: "connection", Since: "2.4.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns connections.", Sub: clientCommands},

	// The server.
	{Name: "command", Arity: -1, Flags: Loading | Stale, Categories: Connection, Run: commandAll,
		Group: "server", Since: "2.8.13", Complexity: perRow, Tips: "nondeterministic_output_order",
		Summary: "Describes all commands.", Sub: commandCommands},
	{Name: "config", Arity: -2, Group: "server", Since: "2.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Container of what concerns the configuration.", Sub: configCommands},
	{Name: "info", Arity: -1, Flags: Loading | Stale, Categories: Dangerous, Run: info,
		Group: "server", Since: "1.0.0", Complexity: constant, Args: "[section...]",
		Tips:    "nondeterministic_output request_policy:all_shards response_policy:special",
		Summary: "Returns figures about the server."},
	{Name: "time", Arity: 1, Flags: Loading | Stale | Fast, Run: timeOf,
		Group: "server", Since: "2.6.0", Complexity: constant, Tips: "nondeterministic_output",
		Summary: "Returns the time: seconds since the Unix epoch, and microseconds."},
	{Name: "shutdown", Arity: -1, Flags: forAdmins | NoMulti | AllowBusy, Run: shutdown,
		Group: "server", Since: "1.0.0", Complexity: constant, Args: "[nosave_save=NOSAVE|SAVE] [NOW] [FORCE] [ABORT]",
		Summary: "Ends the server; nothing that was acknowledged is lost."},
}

var objectCommands = []Command{
	{Name: "encoding", Arity: 3, Flags: ReadOnly, Categories: Keyspace, Run: objectEncoding,
		Keys:  KeySpec{First: 2, Last: 2, Step: 1, Access: "RO"},
		Group: "generic", Since: "2.2.3", Complexity: constant, Args: "key", Tips: "nondeterministic_output",
		Summary: "Says int for an integer, embstr for a short text, raw for a longer one."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: Keyspace, Run: help,
		Group: "generic", Since: "6.2.0", Complexity: constant, Summary: helpSummary},
}

var peerCommands = []Command{
	{Name: "add", Arity: 3, Flags: forAdmins | NoMulti, Run: cPeerAdd,
		Group: "replication", Since: "1.0.0", Complexity: constant, Args: "address",
		Summary: "Pulls from a peer, host:port, from now on and after every start; replies 0 if it is known."},
	{Name: "del", Arity: 3, Flags: forAdmins | NoMulti, Run: cPeerDel,
		Group: "replication", Since: "1.0.0", Complexity: constant, Args: "address",
		Summary: "Ends that; replies 0 if there is no such peer."},
	{Name: "list", Arity: 2, Flags: forAdmins, Run: cPeerList,
		Group: "replication", Since: "1.0.0", Complexity: "O(N) where N is the number of peers", Tips: "nondeterministic_output",
		Summary: "Describes all peers, those that pull from here included."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "replication", Since: "1.0.0", Complexity: constant, Summary: helpSummary},
}

const helpSummary = "Describes the subcommands."

var scriptCommands = []Command{
	{Name: "load", Arity: 3, Flags: NoScript | Stale, Categories: scripting, Run: scriptLoad,
		Group: "scripting", Since: "2.6.0", Complexity: "O(N) where N is the length of the script", Args: "script",
		Tips: "request_policy:all_nodes response_policy:all_succeeded", Summary: "Keeps a script and replies its SHA-1."},
	{Name: "exists", Arity: -3, Flags: NoScript, Categories: scripting, Run: scriptExists,
		Group: "scripting", Since: "2.6.0", Complexity: "O(N) where N is the number of scripts", Args: "sha1...",
		Tips: "request_policy:all_shards response_policy:agg_logical_and", Summary: "Says which scripts are known."},
	{Name: "flush", Arity: -2, Flags: NoScript, Categories: scripting, Run: scriptFlush,
		Group: "scripting", Since: "2.6.0", Complexity: "O(N) where N is the number of scripts", Args: "[async=ASYNC|SYNC]",
		Tips: "request_policy:all_nodes response_policy:all_succeeded", Summary: "Forgets all scripts."},
	{Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Categories: scripting, Run: scriptKill,
		Group: "scripting", Since: "2.6.0", Complexity: constant,
		Tips: "request_policy:all_shards response_policy:one_succeeded", Summary: "Stops the script that runs, if it has not written."},
	{Name: "debug", Arity: 3, Flags: NoScript, Categories: scripting, Run: scriptDebug,
		Group: "scripting", Since: "3.2.0", Complexity: constant, Args: "mode=YES|SYNC|NO",
		Summary: "Refused: there is no debugger."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: scripting, Run: help,
		Group: "scripting", Since: "5.0.0", Complexity: constant, Summary: helpSummary},
}

var clientCommands = []Command{
	{Name: "id", Arity: 2, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientID,
		Group: "connection", Since: "5.0.0", Complexity: constant, Summary: "Returns the ID of this connection."},
	{Name: "setname", Arity: 3, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientSetName,
		Group: "connection", Since: "2.6.9", Complexity: constant, Args: "connection-name",
		Summary: "Names this connection."},
	{Name: "getname", Arity: 2, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientGetName,
		Group: "connection", Since: "2.6.9", Complexity: constant, Summary: "Returns the name of this connection."},
	{Name: "setinfo", Arity: 4, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientSetInfo,
		Group: "connection", Since: "7.2.0", Complexity: constant, Args: "attr=LIB-NAME libname|LIB-VER libver",
		Summary: "Notes the client library of this connection."},
	{Name: "info", Arity: 2, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientInfo,
		Group: "connection", Since: "6.2.0", Complexity: constant, Tips: "nondeterministic_output",
		Summary: "Describes this connection."},
	{Name: "list", Arity: -2, Flags: forAdmins, Categories: Connection, Run: clientList,
		Group: "connection", Since: "2.4.0", Complexity: perClient, Tips: "nondeterministic_output",
		Args:    "[TYPE normal_master_replica_pubsub=NORMAL|MASTER|REPLICA|PUBSUB] [ID id(client-id...)]",
		Summary: "Describes all connections, or those of a type or with the given IDs."},
	{Name: "kill", Arity: -3, Flags: forAdmins, Categories: Connection, Run: clientKill,
		Group: "connection", Since: "2.4.0", Complexity: perClient,
		Args:    "filter=ip:port|new-format(option=ID client-id|TYPE type|USER username|ADDR ip:port|LADDR ip:port|SKIPME yes/no)...",
		Summary: "Ends the connections that a filter means."},
	{Name: "no-evict", Arity: 3, Flags: forAdmins, Categories: Connection, Run: clientNoEvict,
		Group: "connection", Since: "7.0.0", Complexity: constant, Args: "enabled=ON|OFF",
		Summary: "Accepted: no connection is ever evicted."},
	{Name: "no-touch", Arity: 3, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientNoTouch,
		Group: "connection", Since: "7.2.0", Complexity: constant, Args: "enabled=ON|OFF",
		Summary: "Accepted: there is no idle time of keys."},
	{Name: "reply", Arity: 3, Flags: NoScript | Loading | Stale, Categories: Connection, Run: clientReply,
		Group: "connection", Since: "3.2.0", Complexity: constant, Args: "on_off_skip=ON|OFF|SKIP",
		Summary: "Turns replies off, on, or off for one command."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: Connection, Run: help,
		Group: "connection", Since: "5.0.0", Complexity: constant, Summary: helpSummary},
}

var configCommands = []Command{
	{Name: "get", Arity: -3, Flags: forAdmins, Run: configGet,
		Group: "server", Since: "2.0.0", Complexity: "O(N) where N is the number of parameters", Args: "parameter(parameter)...",
		Summary: "Shows the parameters that match any of the patterns."},
	{Name: "set", Arity: -4, Flags: forAdmins, Run: configSet,
		Group: "server", Since: "2.0.0", Complexity: "O(N) where N is the number of parameters",
		Args: "parameter_value(parameter value)...", Tips: "request_policy:all_nodes response_policy:all_succeeded",
		Summary: "Changes parameters, all or none."},
	{Name: "resetstat", Arity: 2, Flags: forAdmins, Run: configResetStat,
		Group: "server", Since: "2.0.0", Complexity: constant, Summary: "Sets the counters of INFO back to 0."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Run: help,
		Group: "server", Since: "5.0.0", Complexity: constant, Summary: helpSummary},
}

var commandCommands = []Command{
	{Name: "count", Arity: 2, Flags: Loading | Stale, Categories: Connection, Run: commandCount,
		Group: "server", Since: "2.8.13", Complexity: constant, Summary: "Counts the commands."},
	{Name: "info", Arity: -2, Flags: Loading | Stale, Categories: Connection, Run: commandInfo,
		Group: "server", Since: "2.8.13", Complexity: perRow, Args: "[command-name...]", Tips: "nondeterministic_output_order",
		Summary: "Describes the commands named, or all, to programs."},
	{Name: "docs", Arity: -2, Flags: Loading | Stale, Categories: Connection, Run: commandDocs,
		Group: "server", Since: "7.0.0", Complexity: perRow, Args: "[command-name...]", Tips: "nondeterministic_output_order",
		Summary: "Describes the commands named, or all, to people."},
	{Name: "list", Arity: -2, Flags: Loading | Stale, Categories: Connection, Run: commandList,
		Group: "server", Since: "7.0.0", Complexity: perRow, Tips: "nondeterministic_output_order",
		Args:    "[FILTERBY filterby=MODULE module-name|ACLCAT category|PATTERN pattern]",
		Summary: "Names all commands, or those of a module, a category or a pattern."},
	{Name: "getkeys", Arity: -4, Flags: Loading | Stale, Categories: Connection, Run: commandGetKeys,
		Group: "server", Since: "2.8.13", Complexity: "O(N) where N is the number of arguments",
		Summary: "Names the keys of a call."},
	{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: Connection, Run: help,
		Group: "server", Since: "5.0.0", Complexity: constant, Summary: helpSummary},
}
