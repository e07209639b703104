// Package address reads where the HTTP API of a master or an agent is, as people write it. It imports the standard
// library alone.
package address

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Parse reads HOST:PORT or a URL (http://HOST:PORT, with a slash after it or none). What is written without a scheme
// gets the given one, http or https. The URL returned has a scheme and a host, and nothing else. An error says what
// is wrong with the text, which it quotes, and what is expected.
func Parse(text, scheme string) (*url.URL, error) {
	u, err := parse(text, scheme)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w; expecting HOST:PORT or http://HOST:PORT", text, err)
	}
	return u, nil
}

func parse(text, scheme string) (*url.URL, error) {
	if text == "" {
		return nil, errors.New("it is empty")
	}
	if !strings.Contains(text, "://") {
		if _, _, err := net.SplitHostPort(text); err != nil && !strings.Contains(text, "/") {
			return nil, hostPortError(err)
		}
		text = scheme + "://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		var detail *url.Error
		if errors.As(err, &detail) {
			err = detail.Err
		}
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("its scheme is %s", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	case u.User != nil:
		return nil, errors.New("it has a user name in it, which belongs elsewhere")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("something follows the port")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return nil, fmt.Errorf("its port is %s", u.Port())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// hostPortError leaves out the address, which the caller quotes.
func hostPortError(err error) error {
	var detail *net.AddrError
	if errors.As(err, &detail) {
		return errors.New(detail.Err)
	}
	return err
}
