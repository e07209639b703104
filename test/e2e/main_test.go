//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/test/leak"
)

// suite is what all tests share. It is set before the first and not changed.
var suite struct {
	bin    string // the folder of the programs
	root   string // the repository
	temp   string // what the programs find in TMPDIR
	family *leak.Family
}

// atOnce is how many tests run at once, unless the command line says otherwise: most of their time they wait.
const atOnce = "3"

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", atOnce)
	flag.Parse()
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		status = 1
	}
	os.Exit(status)
}

// run runs the tests within a leak check.
func run(m *testing.M) (status int, err error) {
	if err := prepare(); err != nil {
		return 1, err
	}
	defer os.RemoveAll(suite.temp)
	places := leak.DefaultPlaces()
	// The programs' temporary files are in a folder of the suite's. Plugins do not see TMPDIR; what go-plugin makes
	// for them begins with this.
	places.Folders, places.Prefixes = append(places.Folders, suite.temp), []string{"plugin"}
	before, err := leak.Take(places)
	if err != nil {
		return 1, err
	}
	status = m.Run()
	left, err := before.Leaked(places, 20*time.Second)
	for _, l := range left {
		fmt.Fprintln(os.Stderr, "e2e: left behind by the tests:", l)
	}
	if len(left) > 0 {
		status = 1
	}
	return status, err
}

func prepare() (err error) {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the end-to-end tests need root: they run containers")
	}
	if suite.root, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		return err
	}
	suite.bin = os.Getenv("MEZZO_BIN")
	if suite.bin == "" {
		suite.bin = filepath.Join(suite.root, "bin")
	}
	if suite.bin, err = filepath.Abs(suite.bin); err != nil {
		return err
	}
	for _, program := range []string{"mezzo", "mezzo-init", "framework", "allocator-drf", "authorizer-opa", "isolator-cgroups", "isolator-process"} {
		if _, err := os.Stat(filepath.Join(suite.bin, program)); err != nil {
			return fmt.Errorf("%w: build the programs first, by `make build`", err)
		}
	}
	if suite.temp, err = os.MkdirTemp("", "e2e-tmp-"); err != nil {
		return err
	}
	suite.family, err = leak.Adopt()
	return err
}
