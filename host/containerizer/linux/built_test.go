//go:build linux && cgroups2

package linux_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// wantUnified says which version of cgroups the tests are about.
const wantUnified = true

// testMain runs the tests on cgroups of version 2, in a small machine that has no Go but a mezzo-init.
func testMain(m *testing.M) int {
	var err error
	if initPath, err = exec.LookPath("mezzo-init"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
