//go:build unix

package runstore

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// writerDir is set in the environment of a process that writes until it is killed.
const writerDir = "MEZZO_TEST_RUNSTORE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

// writeForEver appends numbers, and prints each once it is in the store.
func writeForEver(dir string) {
	s, _, err := Open(dir, strict)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	padding := make([]byte, 20_000)
	for n := 0; ; n++ {
		if err := s.Append(put("last", strconv.Itoa(n)), put(strconv.Itoa(n%300), string(padding))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// TestKill kills a process that writes, and that is compacting much of the time.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	for _, lines := range []int{1, 7, 900, 1500, 2003} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		for range lines {
			if !in.Scan() {
				t.Fatal("writer has ended")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		told := in.Text()
		for in.Scan() { // what it said before it died
			told = in.Text()
		}
		_ = cmd.Wait() // it was killed
		s, rec, err := Open(dir, strict)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		last, _ := strconv.Atoi(string(rec.Values["last"]))
		want, _ := strconv.Atoi(told)
		if last < want {
			t.Errorf("%d was written, %d is there", want, last)
		}
	}
}
