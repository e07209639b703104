// Command testplugin is a plugin of each kind, good or bad in a way of its own, for testing what looks at
// plugins. Its file's name says what it is: KIND-MODE, such as isolator-good or authorizer-hangs.
//
//	good        does what its contract says, as simply as possible
//	hangs       does not return from a call, whatever its context says
//	stopped     stops itself (SIGSTOP) at the first call
//	dies        ends at the first call
//	lies        answers what was not asked
//	floods      writes more to its standard error than anybody wants, some of it without a line's end
//	greedy      takes half a gigabyte of memory at a call, once: then there is the file KIND-greedy.fed beside it
//	grandchild  starts a process that detaches itself and holds its output open
//	old         serves a version of the contract that nobody knows any more
//	mute        starts and says nothing
//	garbage     says something else than is expected at the start
//	early       ends before it says anything
//	elsewhere   says that it listens where it has no business to
//	protocol    speaks another version of go-plugin's protocol
//	deaf        ignores requests to end
//	mumbles     warns of nothing in particular
//	fibs        tells those who write policies what is not so (authorizers)
//	toolless    has nothing for those who write policies (authorizers)
//	hoards      opens a file for each container and never closes it (isolators)
//	bare        an authorizer with nothing of go-plugin, which lies
//	certified   the same with a certificate that it was not asked for
//
// An isolator that starts containers and contributes resources has three more:
//
//	wrongpid    says of another process that it is a container's first
//	earlywait   says that a container has ended which runs
//	nonsense    contributes what belongs to a role
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// Config has an attribute of most kinds.
type Config struct {
	Marker string        `config:"marker" default:"none" doc:"Comes back in answers."`
	Level  int           `config:"level" default:"1" min:"0" max:"9" doc:"A number."`
	Pause  time.Duration `config:"pause" default:"0s" doc:"How long a call takes."`
	Path   string        `config:"path" doc:"A file that has to exist."`
	Secret string        `config:"secret,sensitive" doc:"Is shown nowhere."`
	Rules  []Rule        `config:"rule" doc:"Blocks."`
}

// Rule is a block of the configuration.
type Rule struct {
	Name string `config:"name,required" doc:"Not \"bad\"."`
}

// loudest is the level that the plugin warns of.
const loudest = 9

func (c Config) check(h sdk.Host, mode string) error {
	if c.Level == loudest {
		h.Warn(fmt.Errorf("level %d is very loud", loudest), "level")
	}
	if mode == "mumbles" {
		h.Warn(errors.New(""), "elsewhere")
	}
	if c.Path != "" {
		if _, err := os.Stat(c.Path); err != nil {
			return sdk.ConfigError(err, "path")
		}
	}
	for i, r := range c.Rules {
		if r.Name == "bad" {
			return sdk.ConfigError(fmt.Errorf("the rule is bad"), "rule", i, "name")
		}
	}
	return nil
}

func main() {
	kind, mode, _ := strings.Cut(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), "-")
	misbehaveEarly(kind, mode)
	switch kind {
	case "allocator":
		serve.Allocator("test", version, newAllocator(mode), serve.Doc("Offers everything that is free."))
	case "authorizer":
		if mode == "toolless" {
			serve.Authorizer("test", version, newToolless)
			return
		}
		serve.Authorizer("test", version, newAuthorizer(mode), serve.Doc("Allows what does not begin with no."))
	case "isolator":
		switch mode {
		case "wrongpid", "earlywait", "nonsense":
			serve.Isolator("test", version, newLauncher(mode))
		}
		serve.Isolator("test", version, newIsolator(mode), serve.Doc("Keeps a file for each container."))
	default:
		fmt.Fprintf(os.Stderr, "%q is no kind of plugin\n", kind)
		os.Exit(1)
	}
}

const version = "1.2.3"

// misbehaveEarly does what is wrong before there is a connection.
func misbehaveEarly(kind, mode string) {
	switch mode {
	case "mute":
		forever()
	case "garbage":
		fmt.Println("Hello! I am a plugin.")
		forever()
	case "early":
		fmt.Fprintln(os.Stderr, "the moon is in the wrong phase")
		os.Exit(3)
	case "elsewhere":
		fmt.Println("1|1|unix|/run/elsewhere.sock|grpc|")
		forever()
	case "protocol":
		fmt.Println("1|0|unix|/run/elsewhere.sock|grpc|")
		forever()
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
	case "bare", "certified":
		serveBare(mode == "certified")
	case "old":
		serveOld(kind)
	case "lies":
		serveLies(kind)
	}
}

// misbehave does what is wrong at a call, and returns in the modes that are wrong in another way.
func misbehave(mode string) {
	switch mode {
	case "hangs":
		forever()
	case "stopped":
		stop()
	case "greedy":
		grab()
	case "dies":
		// The descriptor itself, as the runtime does: what goes to os.Stderr is sent to the host by go-plugin.
		fmt.Fprintln(os.NewFile(2, "stderr"), "panic: as asked for")
		os.Exit(7)
	}
}

// forever does not return.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

// start does what is wrong when a plugin is configured.
func start(mode string) error {
	switch mode {
	case "floods":
		flood()
	case "grandchild":
		return startGrandchild()
	}
	return nil
}
