package runstore

import "github.com/mezzo-cluster/mezzo/host/agent/record"

// ContainerStore keeps a containerizer's records in a Store. It implements containerizer.Store.
type ContainerStore struct{ store *Store }

// Containers returns the part of the store that belongs to the containerizer.
func (s *Store) Containers() ContainerStore { return ContainerStore{store: s} }

// Put keeps a container's record.
func (c ContainerStore) Put(id string, rec []byte) error {
	if rec == nil {
		rec = []byte{}
	}
	return c.store.Append(record.Op{Key: record.ContainerKey(id), Value: rec})
}

// Delete drops a container's record. One that is not there is no error.
func (c ContainerStore) Delete(id string) error {
	return c.store.Append(record.Op{Key: record.ContainerKey(id)})
}
