package config

import (
	"strings"
	"testing"
	"time"
)

func TestKeepEvents(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "30d": 720 * time.Hour, "720h": 720 * time.Hour, "3650d": 87600 * time.Hour,
		"2160h30m": 2160*time.Hour + 30*time.Minute,
	} {
		c, err := Load(Input{Flags: map[string]string{"keep_events": text}})
		if err != nil || c.KeepEvents != want {
			t.Errorf("%s: %v %v", text, c.KeepEvents, err)
		}
	}
	for _, text := range []string{"", "29d", "719h59m", "3651d", "-30d", "90", "d", "65566d", "1e3d"} {
		if _, err := Load(Input{Flags: map[string]string{"keep_events": text}}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestWebhookProxy(t *testing.T) {
	c, err := Load(Input{Environ: []string{
		"PLEXY_WEBHOOK_PROXY=http://proxy.internal:3128", "PLEXY_WEBHOOK_PROXY_CREDENTIALS=plexy:geheim",
	}})
	if err != nil || c.WebhookProxy != "proxy.internal:3128" || c.WebhookProxyCredentials != "plexy:geheim" {
		t.Errorf("%q %v", c.WebhookProxy, err)
	}
	for name, want := range map[string]string{
		"webhook_proxy": "http://proxy.internal:3128", "webhook_proxy_credentials": hidden,
	} {
		if s, _ := find(name); s.get(c) != want {
			t.Errorf("%s is shown as %s", name, s.get(c))
		}
	}
	for _, text := range []string{
		"proxy:3128", "https://proxy:3128", "http://proxy", "http://geheim:geheim@proxy:3128", "http://proxy:3128/x",
		"socks5://proxy:1080", "http://:3128", "http://proxy:3128?geheim",
	} {
		_, err := Load(Input{Environ: []string{"PLEXY_WEBHOOK_PROXY=" + text}})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"geheim", ":geheim"} {
		_, err := Load(Input{Environ: []string{"PLEXY_WEBHOOK_PROXY_CREDENTIALS=" + text}})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
