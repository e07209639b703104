//go:build unix

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command mezzo-init is the first process of a container. It takes a plan from the agent over its start
// socket, makes the container's mounts, waits for the agent's go, starts the command, reaps what the
// container leaves behind, passes signals on, and writes the command's exit status as a fixed record into
// the container's status file. With its own pid namespace, its end is the end of everything in the container.
//
// It is started by the agent alone; package initproto has the conversation. There is one for each container,
// so it imports little: neither fmt nor the network nor reflection.
package main

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
)

// stageArg makes mezzo-init the second process of a container for a moment: it takes on the limits and rights
// that must not be mezzo-init's own, and becomes the command.
const stageArg = "stage"

// failedStatus is the exit status of a command that could not be executed, as Mesos has it.
const failedStatus = 1

func main() {
	if len(os.Args) == 2 && os.Args[1] == stageArg {
		stage()
	}
	if err := hide(); err != nil {
		complain("make undumpable: " + err.Error())
		os.Exit(failedStatus)
	}
	socket := os.NewFile(initproto.SocketFD, "start socket")
	status := os.NewFile(initproto.StatusFD, "status file")
	syscall.CloseOnExec(initproto.SocketFD)
	syscall.CloseOnExec(initproto.StatusFD)
	signals := listen()
	// Membership in cgroups and namespaces goes from the thread that forks to the child, and the child's life may
	// hang on that thread's.
	runtime.LockOSThread()

	plan, err := prepare(socket)
	if err != nil {
		_, _ = socket.Write(append([]byte{initproto.ReplyError}, err.Error()...))
		os.Exit(failedStatus)
	}
	if !released(socket) {
		os.Exit(failedStatus)
	}
	record(status, initproto.Released, 0)
	record(status, initproto.Exited, uint32(run(plan, socket, status, signals))) //nolint:gosec // a wait status has 16 bits
	os.Exit(0)
}

// prepare reads the plan and does all of it that comes before the command.
func prepare(socket *os.File) (*initproto.Plan, error) {
	plan, err := readPlan(socket)
	if err != nil {
		return nil, errors.New("read the plan: " + err.Error())
	}
	if err := setUp(plan); err != nil {
		return nil, err
	}
	if err := os.Chdir(plan.Dir); err != nil {
		return nil, errors.New("enter the sandbox: " + err.Error())
	}
	for _, command := range plan.Prestart {
		if err := runPrestart(command); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func readPlan(r io.Reader) (*initproto.Plan, error) {
	var header [initproto.HeaderLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n, err := initproto.ParseHeader(header[:])
	if err != nil {
		return nil, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return initproto.ParsePlan(body)
}

// released tells the agent that all is ready, and waits until it says go, or goes away.
func released(socket *os.File) bool {
	if _, err := socket.Write([]byte{initproto.ReplyReady}); err != nil {
		return false
	}
	var b [1]byte
	n, _ := socket.Read(b[:])
	return n == 1 && b[0] == initproto.Go
}

// record appends a record to the status file. When that does not work, the status is unknown to the agent,
// and the container's log says why.
func record(status *os.File, kind initproto.Kind, value uint32) {
	if _, err := status.Write(initproto.AppendRecord(nil, kind, value)); err != nil {
		complain("write the status: " + err.Error())
	}
}

// complain writes to the container's stderr.
func complain(text string) {
	_, _ = os.Stderr.WriteString("mezzo-init: " + text + "\n")
}
