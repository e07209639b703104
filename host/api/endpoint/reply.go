package endpoint

import (
	"net/http"
	"regexp"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/api/document"
)

// callback is what may be named by `?jsonp=`: anything else could inject a script of the sender's choosing.
var callback = regexp.MustCompile(`^[\w$.\[\]]{1,128}$`)

// Document answers with a JSON document that write writes, wrapped into a call of the function that the query's
// `jsonp` names, if any.
func Document(w http.ResponseWriter, r *http.Request, write func(*document.Writer)) error {
	return DocumentOrAbort(w, r, func(d *document.Writer) error {
		write(d)
		return nil
	})
}

// DocumentOrAbort is Document for a document in whose writing something may go wrong. As the first bytes may have
// left by then, the connection is broken off, so that no client takes half an answer for a whole one.
func DocumentOrAbort(w http.ResponseWriter, r *http.Request, write func(*document.Writer) error) error {
	jsonp := r.URL.Query().Get("jsonp")
	if jsonp != "" && !callback.MatchString(jsonp) {
		return BadRequest("Invalid 'jsonp': expecting the name of a function")
	}
	media, tail := TypeJSON, ""
	if jsonp != "" {
		media, tail = "text/javascript", ")"
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out, finish := Body(w, r)
	d := document.NewWriter(out)
	if jsonp != "" {
		d.Before(jsonp + "(")
	}
	err := write(d)
	if err == nil {
		err = d.CloseWith(tail)
	}
	if err == nil {
		err = finish()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// Message answers 200 with a message.
func Message(w http.ResponseWriter, r *http.Request, media Media, m proto.Message) error {
	body, err := Encode(media, m)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media.String())
	out, finish := Body(w, r)
	if _, err := out.Write(body); err != nil {
		return err
	}
	return finish()
}
