// Package e2e tests Mezzo from outside: the programs as they are shipped, in real processes with real containers,
// over the public HTTP API, the command line and the configuration files, and with kill -9. `make build` must have
// made the programs; MEZZO_BIN names their folder if it is not bin/. The tests need Linux and root.
//
// Each test has a cluster of its own, in a folder and on ports of its own, and takes it down; what its agents have
// left on the machine fails the test, and what is left at the end fails the run.
package e2e
