package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Authenticator tells who sent a request.
type Authenticator interface {
	// Authenticate returns the principal, or an error whose text may be shown to the sender.
	Authenticate(r *http.Request) (Principal, error)
	// Challenge is the value of WWW-Authenticate that goes with a refusal.
	Challenge(realm string) string
}

// NoAuthentication lets everybody in as Anonymous. Credentials that clients send all the same are not looked at.
type NoAuthentication struct{}

// Authenticate returns Anonymous.
func (NoAuthentication) Authenticate(*http.Request) (Principal, error) { return Anonymous, nil }

// Challenge is never asked for.
func (NoAuthentication) Challenge(string) string { return "" }

// Basic is HTTP's basic authentication against a list of principals and secrets. It is safe for concurrent use.
type Basic struct {
	// secrets holds hashes, so that comparing takes the same time whatever the lengths.
	secrets map[string][sha256.Size]byte
}

// credentialsFile is the form of Mesos's file of credentials.
type credentialsFile struct {
	Credentials []struct {
		Principal string `json:"principal"`
		Secret    string `json:"secret"`
	} `json:"credentials"`
}

// LoadBasic reads a JSON file `{"credentials": [{"principal": ..., "secret": ...}]}`. The error names the file,
// never a secret.
func LoadBasic(path string) (*Basic, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	var file credentialsFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf(`parse credentials %s: expecting {"credentials": [{"principal": "...", "secret": "..."}]}`, path)
	}
	if len(file.Credentials) == 0 {
		return nil, fmt.Errorf("parse credentials %s: no credentials in it", path)
	}
	b := &Basic{secrets: map[string][sha256.Size]byte{}}
	for i, c := range file.Credentials {
		if c.Principal == "" || c.Secret == "" {
			return nil, fmt.Errorf("parse credentials %s: entry %d lacks a principal or a secret", path, i+1)
		}
		if strings.Contains(c.Principal, ":") {
			return nil, fmt.Errorf("parse credentials %s: principal %q has a colon, where basic authentication ends the name", path, c.Principal)
		}
		if _, twice := b.secrets[c.Principal]; twice {
			return nil, fmt.Errorf("parse credentials %s: principal %q stands in it twice", path, c.Principal)
		}
		b.secrets[c.Principal] = sha256.Sum256([]byte(c.Secret))
	}
	return b, nil
}

var (
	errNoCredentials  = errors.New("credentials are required (HTTP basic authentication)")
	errBadCredentials = errors.New("the principal or the secret is wrong")
)

// Authenticate checks the Authorization header.
func (b *Basic) Authenticate(r *http.Request) (Principal, error) {
	name, secret, ok := r.BasicAuth()
	if !ok {
		return Anonymous, errNoCredentials
	}
	want, known := b.secrets[name]
	got := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 || !known {
		return Anonymous, errBadCredentials
	}
	return Principal{Name: name}, nil
}

// Challenge asks for basic authentication in a realm.
func (b *Basic) Challenge(realm string) string { return fmt.Sprintf("Basic realm=%q", realm) }
