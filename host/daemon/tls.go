package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"

	"github.com/mezzo-cluster/mezzo/host/config"
)

// serverTLS returns the TLS settings of HTTP listeners, nil where there are none.
func serverTLS(c *config.TLS) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, c.At(fmt.Errorf("read the certificate of the tls block: %w", err))
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// mutualTLS returns the settings of the connections among masters and agents: both sides show a certificate that the
// CA of the tls block has signed. Nil where there is no tls block.
func mutualTLS(c *config.TLS) (*tls.Config, error) {
	conf, err := serverTLS(c)
	if conf == nil || err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, c.At(fmt.Errorf("read ca_file of the tls block: %w", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, c.At(fmt.Errorf("read ca_file of the tls block: %s holds no PEM certificate", c.CAFile))
	}
	conf.ClientAuth, conf.ClientCAs, conf.RootCAs = tls.RequireAndVerifyClientCert, pool, pool
	return conf, nil
}

// linkCredentials are mutualTLS for the connection between agents and masters; nil where there is no tls block.
func linkCredentials(c *config.TLS) (credentials.TransportCredentials, error) {
	conf, err := mutualTLS(c)
	if conf == nil || err != nil {
		return nil, err
	}
	return credentials.NewTLS(conf), nil
}
