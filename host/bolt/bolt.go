// Package bolt looks after the files of embedded databases (bbolt). It imports bbolt and nothing of the host.
package bolt

import (
	"fmt"
	"hash/fnv"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// lockWait is how long Check waits for a file that another process holds, before it leaves that to be told by who opens
// the file for good.
const lockWait = time.Millisecond

// Check reads a database from end to end, and says if that cannot be done. bbolt trusts its files: where one is damaged
// it panics, or reads beyond the end, which the program would not survive. That there is no such file, or that it is in
// use or of another kind, is no error here: who opens it says so.
func Check(path string) (err error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("%s is damaged: %v", path, found)
		}
	}()
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: lockWait})
	if err != nil {
		return nil
	}
	defer db.Close() //nolint:errcheck // nothing was written
	// What begins within the file may end beyond it, so all of it is looked at.
	all := fnv.New32a()
	return db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(key, value []byte) error {
				_, _ = all.Write(key) // a hash takes everything
				_, _ = all.Write(value)
				return nil
			})
		})
	})
}
