package containerizer

import "github.com/mezzo-cluster/mezzo/sdk/isolator"

// Usage is what a container uses, each figure as far as some isolator knows it: a nil pointer is not known.
type Usage = isolator.Usage
