// Package clientcert makes the certificate by which a plugin knows its host when their connection is encrypted.
// The host and the conformance kit use it; plugins do not need it. It imports the standard library alone.
package clientcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Variable is the environment variable in which a plugin gets the certificate, in PEM.
const Variable = "PLUGIN_CLIENT_CERT"

// validity is how long a certificate is good. It is made anew for each process, and must outlive it.
const validity = 30 * 365 * 24 * time.Hour

// New makes a key and a certificate for one process. The configuration is for go-plugin's client, which adds
// the certificate that the plugin answers with to RootCAs: that they are nil after the handshake says that
// there was none. It is on P-256, the one curve that every TLS library takes; go-plugin's own, on P-521, is
// refused by BoringSSL and with it by gRPC for Python, Ruby, C++ and others.
func New() (config *tls.Config, certificate string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, "", fmt.Errorf("draw a serial number: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, SerialNumber: serial,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, "", fmt.Errorf("make a certificate: %w", err)
	}
	config = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12,
		ServerName:   "localhost",
	}
	return config, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
