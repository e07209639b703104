package address_test

import (
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/address"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"127.0.0.1:5050":           "http://127.0.0.1:5050",
		"master.example:5050/":     "http://master.example:5050",
		"[::1]:5050":               "http://[::1]:5050",
		"http://127.0.0.1:5050":    "http://127.0.0.1:5050",
		"http://127.0.0.1:5050/":   "http://127.0.0.1:5050",
		"HTTPS://master.example":   "https://master.example",
		"https://[fe80::1%25eth0]": "https://[fe80::1%25eth0]",
	} {
		if got, err := address.Parse(text, "http"); err != nil || got.String() != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	if got, err := address.Parse("m:5050", "https"); err != nil || got.String() != "https://m:5050" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                       "it is empty",
		"localhost":              "missing port in address",
		"::1":                    "too many colons in address",
		"host:port":              "port",
		"http://host:99999":      "its port is 99999",
		"host:0":                 "its port is 0",
		":5050":                  "it has no host",
		"ftp://host:5050":        "its scheme is ftp",
		"zk://a:2181/mesos":      "its scheme is zk",
		"http://me:pw@host:5050": "a user name",
		"host:5050/api/v1":       "something follows the port",
		"http://host:5050?x=1":   "something follows the port",
		"http://":                "it has no host",
		"ho st:5050":             "invalid character",
	} {
		_, err := address.Parse(text, "http")
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "expecting HOST:PORT or http://HOST:PORT") {
			t.Errorf("%q: %v, want something with %q", text, err, says)
		}
	}
}
