package endpoint

import (
	"compress/gzip"
	"io"
	"net/http"
)

// compressAbove is the size, in bytes, from which a body is worth compressing.
const compressAbove = 1 << 10

// Body returns a writer for an answer's body of unknown length, and a function that must be called at its end.
// It compresses where the client takes gzip, once the body turns out to be long enough. The header, but for
// Content-Encoding and Vary, must be set before the first byte is written.
func Body(w http.ResponseWriter, r *http.Request) (io.Writer, func() error) {
	if r.Method == http.MethodHead || r.Header.Get("Accept-Encoding") == "" ||
		!Accepts(r.Header, "Accept-Encoding", "gzip") {
		return w, func() error { return nil }
	}
	b := &body{w: w}
	return b, b.close
}

type body struct {
	w    http.ResponseWriter
	held []byte
	zip  *gzip.Writer
}

// Write holds the first bytes back until it is known whether compressing pays.
func (b *body) Write(p []byte) (int, error) {
	if b.zip != nil {
		return b.zip.Write(p)
	}
	b.held = append(b.held, p...)
	if len(b.held) < compressAbove {
		return len(p), nil
	}
	h := b.w.Header()
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	h.Del("Content-Length")
	b.zip, _ = gzip.NewWriterLevel(b.w, gzip.BestSpeed) // the level is a valid one
	if _, err := b.zip.Write(b.held); err != nil {
		return 0, err
	}
	b.held = nil
	return len(p), nil
}

func (b *body) close() error {
	if b.zip != nil {
		return b.zip.Close()
	}
	_, err := b.w.Write(b.held)
	return err
}
