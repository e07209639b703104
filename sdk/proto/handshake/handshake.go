// Package handshake has the words by which a host and a plugin process find each other, before there is a
// connection. docs/vendors/wire.md tells the rest. It imports nothing.
package handshake

const (
	// CookieKey is the environment variable that tells a program that it is started as a plugin.
	CookieKey = "MEZZO_PLUGIN_MAGIC_COOKIE"
	// CookieValue is the variable's value. It is no secret: it keeps people from starting plugins by hand.
	CookieValue = "6d657a7a6f2d706c7567696e-1f0c9b53a7e84c62"
	// ProtocolVersion is go-plugin's. It never changes: the version of a contract is in its package's name.
	ProtocolVersion = 1
	// PluginName is the one name in go-plugin's map of plugins: all services share one connection.
	PluginName = "mezzo"
	// WatchStdin is the environment variable that, when it is 1, says that stdin is a pipe whose other end the
	// host holds: its end of file is the host's end.
	WatchStdin = "MEZZO_PLUGIN_WATCH_STDIN"
	// LogLevel is the environment variable with the least level worth logging: debug, info, warn or error.
	LogLevel = "MEZZO_PLUGIN_LOG_LEVEL"
	// HealthService is the name by which grpc.health.v1 knows the plugin.
	HealthService = "plugin"
)

// The kinds of plugins, as in a plugin block's first label.
const (
	KindAllocator  = "allocator"
	KindAuthorizer = "authorizer"
	KindIsolator   = "isolator"
)

// Bounds of the contracts that both ends keep.
const (
	// MaxBatch is the most updates, answers, allocations or containers in a message.
	MaxBatch = 1000
	// MaxHandle is the most bytes in a handle's data.
	MaxHandle = 64 << 10
	// MaxUnanswered is the most allocations that a plugin leaves without an answer.
	MaxUnanswered = 10_000
	// MaxMessage is the most bytes in a message, either way.
	MaxMessage = 16 << 20
)
