//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// browser is for requests that are answered at once.
var browser = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

// request makes a request without a test to fail.
func request(method, address, path, contentType string, body []byte, header ...string) (reply, error) {
	req, err := http.NewRequest(method, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := browser.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

func ask(t *testing.T, method, address, path, contentType string, body []byte, header ...string) reply {
	t.Helper()
	r, err := request(method, address, path, contentType, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// getJSON reads a JSON document; into may be nil.
func getJSON(address, path string, into any, header ...string) error {
	r, err := request(http.MethodGet, address, path, "", nil, header...)
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, r.status, r.body)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
