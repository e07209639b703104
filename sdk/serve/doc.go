// Package serve makes a program of a plugin: a main function calls Allocator, EventAllocator, Authorizer or
// Isolator with the plugin's name, its version and its constructor, and does nothing else.
//
//	func main() { serve.Allocator("binpack", "0.1.0", New) }
//
// The constructor is called once in the life of the process, with the operator's configuration decoded
// into the vendor's struct. The struct's tags are the schema by which the host checks what the operator
// wrote:
//
//	type Config struct {
//		MaxUsed float64       `config:"max_used" default:"0.9" min:"0" max:"1" doc:"Leave fuller agents alone."`
//		Mode    string        `config:"mode" enum:"spread,pack" default:"pack" doc:"How to choose an agent."`
//		Token   string        `config:"token,required,sensitive" doc:"What the service wants to see."`
//		Every   time.Duration `config:"every" default:"1m30s" doc:"How often to look."`
//		Limit   sdk.Bytes     `config:"limit" default:"64MiB" doc:"The most to keep."`
//		Rules   []Rule        `config:"rule" doc:"A rule; the first that matches counts."` // blocks
//	}
//
// Numbers are int or float types; lists are slices and maps have string keys; a struct is a block, a slice
// of structs is blocks, and a map of structs is labelled blocks (label:"..." names the label). With the option
// object a struct is an attribute's value instead. A pointer is nil when the operator gives nothing.
// pattern:"..." is a regular expression that all of a string must match.
//
// The package does what every plugin has to do: it describes the plugin, checks the configuration, refuses
// calls before it and while draining, answers a repeated operation with its first answer, makes errors of
// panics, hands the host's deadlines on, and ends the process with its host. It is the only package of the
// SDK that uses go-plugin.
package serve
