package config

import "github.com/hashicorp/hcl/v2"

// where is the place of a block, for what turns out to be wrong with it only when it is used.
type where struct {
	at      hcl.Range
	sources map[string][]byte
}

// show gives an error its place in the file.
func (w where) show(err error) error {
	return newError(hcl.Diagnostics{mistake(w.at, "Not possible here", "%s", sentence(err))}, w.sources)
}

// At gives an error that came of the block its place in the file.
func (t *TLS) At(err error) error { return t.where.show(err) }

// At gives an error that came of the block its place in the file.
func (a *Authentication) At(err error) error { return a.where.show(err) }
