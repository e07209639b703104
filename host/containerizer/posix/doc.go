// Package posix is the containerizer of an agent that is not root, or not on Linux: a container is a process group
// under a mezzo-init. Nothing is isolated, and a process that takes pains to can outlive its container; without root
// all commands run as the agent's user, whomever they name. What it shares with linux is in package launcher.
package posix
