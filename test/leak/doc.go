// Package leak tells what a run of Mezzo's programs has left on a machine: processes, mounts, cgroups, network
// namespaces, and files where the daemons keep what need not outlive a reboot. A snapshot from before the run is
// compared with one from after it; command check does so around any command.
//
// It works on Linux, and imports the standard library and x/sys alone: it looks at the machine, not at Mezzo.
package leak
