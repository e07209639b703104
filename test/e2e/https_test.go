//go:build linux

package e2e

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// URIs are fetched over https from who has a certificate that the machine trusts, and from nobody else.
func TestFetchingOverHTTPS(t *testing.T) {
	t.Parallel()
	serve := func() *httptest.Server {
		s := httptest.NewTLSServer(http.FileServer(http.Dir(warehouse(t))))
		t.Cleanup(s.Close)
		return s
	}
	trusted := serve()
	ca := write(t, t.TempDir(), "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate().Raw})))
	c := newCluster(t, site{})
	c.agents[0].env = []string{"SSL_CERT_FILE=" + ca}
	c.start()
	f := subscribe(t, c)
	_, port, _ := strings.Cut(trusted.Listener.Addr().String(), ":")
	f.launch(
		shell("trusted", "cat plain.txt", fetching(uri(trusted.URL+"/plain.txt"))),
		shell("misnamed", "true", fetching(uri("https://localhost:"+port+"/plain.txt"))),
		shell("plain", "true", fetching(uri(strings.Replace(trusted.URL, "https", "http", 1)+"/plain.txt"))),
	)
	f.end("trusted", "STARTING RUNNING FINISHED")
	if got := f.sandboxFile(c.agents[0], "trusted", "stdout"); got != "plain content\n" {
		t.Errorf("fetched %q", got)
	}
	for id, says := range map[string]string{"misnamed": "certificate is valid for", "plain": "400"} {
		checkFetchError(t, f.end(id, "FAILED"), says)
	}
	// A machine that does not know who signed the certificate.
	c.agents[0].end(syscall.SIGTERM)
	c.agents[0].env = []string{"SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/var/empty"}
	c.restart(c.agents[0])
	f.launch(shell("unknown", "true", fetching(uri(trusted.URL+"/plain.txt"))))
	checkFetchError(t, f.end("unknown", "FAILED"), "certificate signed by unknown authority")
}

func checkFetchError(t *testing.T, s *mesos.TaskStatus, says string) {
	t.Helper()
	if s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(s.GetMessage(), says) || !strings.Contains(s.GetMessage(), "/plain.txt") {
		t.Errorf("%s: %s: %s", s.GetTaskId().GetValue(), s.GetReason(), s.GetMessage())
	}
}
