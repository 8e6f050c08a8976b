package commands

import "math/bits"

// Flags say what a command does and when it may run, as COMMAND INFO does.
type Flags uint32

// The flags, in the order of COMMAND INFO.
const (
	Write           Flags = 1 << iota // may change a key
	ReadOnly                          // only reads keys
	DenyOOM                           // may need more memory
	Admin                             // for administrators
	PubSub                            // of messages
	NoScript                          // not in scripts
	Loading                           // also while the server loads
	Stale                             // also on a replica that is behind
	SkipMonitor                       // MONITOR shows it before it runs, and then its parts
	SkipSlowlog                       // not in the slow log
	Fast                              // takes constant or logarithmic time
	NoAuth                            // also before AUTH
	NoMandatoryKeys                   // it may be called without keys
	NoAsyncLoading                    // not while the server loads beside serving
	NoMulti                           // not in a transaction
	AllowBusy                         // also while a script runs for too long
	MovableKeys                       // an argument says how many keys there are

	// Those that COMMAND INFO does not show.
	AtOnce       // runs in a transaction though others are queued there
	Wipes        // empties databases
	mayWrite     // like a write, waits for the end of a pause of writes
	protected    // has to be enabled by enable-debug-command
	whileJoining // also while the first state of the peers comes
	replicates   // for peers and administrators: takes the peers' secret, or without one a client on this machine
	sections     // runs in a section, and lets go itself before it waits for one
	onlyAsks     // about its keys: they are not used by it, as OBJECT IDLETIME has it
)

var flagNames = []string{"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "loading", "stale", "skip_monitor", "skip_slowlog", "fast",
	"no_auth", "no_mandatory_keys", "no_async_loading", "no_multi", "allow_busy", "movablekeys"}

// Names are those that COMMAND INFO shows.
func (f Flags) Names() []string { return pick(uint32(f), flagNames) }

// Categories are those of ACL.
type Categories uint32

// The categories, in the order of COMMAND INFO.
const (
	Keyspace Categories = 1 << iota
	read
	write
	Hash
	String
	pubsub
	admin
	fast
	slow
	Dangerous
	Connection
	Transaction
	scripting
)

var categoryNames = []string{"keyspace", "read", "write", "hash", "string", "pubsub", "admin", "fast", "slow", "dangerous", "connection", "transaction", "scripting"}

// Names are those of the categories, without the @.
func (c Categories) Names() []string { return pick(uint32(c), categoryNames) }

// AllCategories are those of the row and those that follow from its flags.
func (c *Command) AllCategories() Categories {
	all := c.Categories
	if c.Flags&Write != 0 {
		all |= write
	}
	if c.Flags&ReadOnly != 0 && all&scripting == 0 {
		all |= read
	}
	if c.Flags&PubSub != 0 {
		all |= pubsub
	}
	if c.Flags&Admin != 0 {
		all |= admin | Dangerous
	}
	if c.Flags&Fast != 0 {
		return all | fast
	}
	return all | slow
}

func pick(set uint32, names []string) []string {
	list := make([]string, 0, bits.OnesCount32(set))
	for i, name := range names {
		if set&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}
