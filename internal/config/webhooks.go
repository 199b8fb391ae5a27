package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// leastKept is how long a feed keeps events at least, unless it keeps them for ever.
const leastKept = 30 * 24 * time.Hour

// keeping reads how long events are kept: 0, or a duration such as 90d or 2160h from 30 days to ten years.
func keeping(value string) (time.Duration, error) {
	if value == "0" || value == "0s" {
		return 0, nil
	}
	kept, err := time.ParseDuration(value)
	if text, ok := strings.CutSuffix(value, "d"); ok {
		var days uint64
		if days, err = strconv.ParseUint(text, 10, 16); err == nil {
			kept = time.Duration(days) * 24 * time.Hour
		}
	}
	if err != nil || kept < leastKept || kept > maxKeep*24*time.Hour {
		return 0, errors.New("must be 0 (for ever) or a duration from 30d to 3650d, such as 90d or 2160h")
	}
	return kept, nil
}

// proxy reads the address of a proxy and returns its HOST:PORT. The error does not repeat it: it may hold a
// password where none belongs.
func proxy(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	u, err := url.Parse(value)
	if err == nil && u.User != nil {
		return "", errors.New("must not hold credentials; those are webhook_proxy_credentials")
	}
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" || checkAddress(u.Host) != nil {
		return "", errors.New("must be http://HOST:PORT")
	}
	return u.Host, nil
}

// proxyCredentials is the secret beside webhook_proxy.
var proxyCredentials = func() Setting {
	s := secret("webhook_proxy_credentials", "USER:PASSWORD at that proxy; none when empty",
		func(c *Config) *string { return &c.WebhookProxyCredentials })
	put := s.set
	s.set = func(c *Config, v string) error {
		if user, _, ok := strings.Cut(v, ":"); v != "" && (!ok || user == "") {
			return errors.New("must be USER:PASSWORD")
		}
		return put(c, v)
	}
	return s
}()
