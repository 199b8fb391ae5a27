package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUse(t *testing.T) {
	r := newRig(t)
	p := person(1)
	r.do(p.of("wallet", "open")...)
	for _, c := range []struct {
		code  int
		words string
		args  []string
	}{
		{exitUsage, `no command "walet"`, []string{"walet"}},
		{exitUsage, `no command "opn"`, []string{"wallet", "opn"}},
		{exitUsage, `"currency" not set`, []string{"wallet", "show", "--phone", p.phone, "--iin", p.iin}},
		{exitUsage, "unknown flag: --fone", []string{"wallet", "show", "--fone", "x"}},
		{exitUsage, "--phone: ", []string{"wallet", "show", "--phone", "12", "--iin", p.iin, "--currency", "KZT"}},
		{exitUsage, "--iin: ", []string{"wallet", "show", "--phone", p.phone, "--iin", "12", "--currency", "KZT"}},
		{exitUsage, `"kzt"`, []string{"wallet", "show", "--phone", p.phone, "--iin", p.iin, "--currency", "kzt"}},
		{exitUsage, "above 0", p.of("wallet", "top-up", "--amount", "0")},
		{exitUsage, "above 0", p.of("wallet", "top-up", "--amount", "-5")},
		{exitUsage, "whole number", p.of("wallet", "top-up", "--amount", "1.5")},
		{exitUsage, "whole number", p.of("wallet", "top-up", "--amount", "0x10")},
		{exitUsage, "whole number", p.of("wallet", "top-up", "--amount", "1e2")},
		{exitUsage, "64 bits", p.of("wallet", "top-up", "--amount", "9223372036854775808")},
		{exitUsage, "must not be empty", p.of("wallet", "top-up", "--amount", "5", "--reference", "")},
		{exitUsage, "visible ASCII", p.of("wallet", "top-up", "--amount", "5", "--reference", "a\nb")},
		{exitUsage, `"reason" not set`, p.of("wallet", "block")},
		{exitUsage, "--reason is required", p.of("wallet", "block", "--reason", "")},
		{exitUsage, `"reason"`, p.of("wallet", "withdraw", "--amount", "5", "--reference", "r")},
		{exitUsage, `"reference"`, p.of("wallet", "adjust", "--amount", "5", "--reason", "r")},
		{exitUsage, "per-transaction per-day", p.of("wallet", "limit")},
		{exitUsage, "0 for none", p.of("wallet", "limit", "--per-day", "-1")},
		{exitUsage, `"mode" not set`, p.of("wallet", "approval")},
		{exitUsage, `"ask"`, p.of("wallet", "approval", "--mode", "ask")},
		{exitUsage, "--above belongs", p.of("wallet", "approval", "--mode", "above")},
		{exitUsage, "--above belongs", p.of("wallet", "approval", "--mode", "owner", "--above", "5")},
		{exitUsage, "from 0 on", p.of("wallet", "approval", "--mode", "above", "--above", "-1")},
		{exitUsage, "from 1 to", p.of("wallet", "statement", "--limit", "0")},
		{exitRefused, "wallet_not_found", []string{
			"wallet", "show", "--phone", p.phone, "--iin", p.iin, "--currency", "USD",
		}},
		{exitRefused, "no merchant", []string{"merchant", "show", "mer_1"}},
		{exitRefused, "no merchant", []string{"key", "create", "--merchant", "mer_1"}},
		{exitRefused, "no merchant", []string{"key", "list", "--merchant", "mer_1"}},
		{exitRefused, "no key", []string{"key", "revoke", "key_1"}},
		{exitUsage, "wants ID and got none", []string{"merchant", "show"}},
		{exitUsage, `takes no argument and got "books"`, []string{"verify", "books"}},
		{exitUsage, `"name" not set`, []string{"merchant", "create"}},
		{exitUsage, "1 to 255", []string{"merchant", "create", "--name", "  "}},
		{exitUsage, "listen (flag --listen)", []string{"config", "print", "--listen", "nowhere"}},
	} {
		r.refuse(c.code, c.words, c.args...)
	}
}

func TestWrongSettingOfMerchant(t *testing.T) {
	r := newRig(t)
	var made struct{ MerchantID, Name, APIKey string }
	r.record(&made, "merchant", "create", "--name", "Shop")
	for _, setting := range []string{
		"hold_expiry=0s", "hold_expiry=31d", "approval_expiry=0s", "approval_expiry=25h",
		"order_reference=maybe", "color=red", "hold_expiry",
	} {
		before := r.do("merchant", "show", made.MerchantID, "--json")
		if strings.HasPrefix(setting, "hold_expiry=") {
			r.refuse(exitUsage, "no such setting or value: hold_expiry must be",
				"merchant", "set", made.MerchantID, setting)
		}
		r.refuse(exitUsage, "", "merchant", "set", made.MerchantID, "order_reference=reject", setting)
		if after := r.do("merchant", "show", made.MerchantID, "--json"); after != before {
			t.Errorf("a refused %s changed the merchant: %s", setting, after)
		}
	}
}

func TestUnknownSettings(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "plexy.yaml")
	if err := os.WriteFile(file, []byte("listn: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.refuse(exitUsage, "listn", "merchant", "create", "--name", "Shop", "--config", file)
	t.Setenv("PLEXY_TEST_WHATEVER", "left to the tests")
	r.do("config", "print")
	t.Setenv("PLEXY_LISTN", "127.0.0.1:1")
	r.refuse(exitUsage, "PLEXY_LISTN", "merchant", "create", "--name", "Shop")
	r.refuse(exitUsage, "PLEXY_LISTN", "serve")
	if _, err := os.Stat(r.data); !os.IsNotExist(err) {
		t.Errorf("a start that was stopped left %s behind: %v", r.data, err)
	}
}

func TestConfigPrintHidesSecrets(t *testing.T) {
	t.Setenv("PLEXY_MASTER_KEY", "geheim-1")
	var out, trouble bytes.Buffer
	args := []string{"config", "print", "--database", "postgres://u:geheim-2@h/d"}
	code := run(context.Background(), args, &out, &trouble)
	text := out.String()
	if code != 0 || strings.Contains(text, "geheim") || !strings.Contains(text, "postgres://u:xxxxx@h/d") ||
		!strings.Contains(text, "PLEXY_MASTER_KEY") {
		t.Errorf("config print ended with %d and printed\n%s%s", code, text, trouble.String())
	}
}

func TestEveryCommandHelps(t *testing.T) {
	c := &cli{}
	var walk func(path []string)
	seen := 0
	walk = func(path []string) {
		var out, trouble bytes.Buffer
		if code := run(context.Background(), append(path, "--help"), &out, &trouble); code != 0 || out.Len() == 0 {
			t.Errorf("plexy %v --help ended with %d: %s", path, code, trouble.String())
		}
		if len(path) > 0 && !strings.Contains(out.String(), "--database") {
			t.Errorf("plexy %v does not know --database", path)
		}
		seen++
		cmd, _, err := c.root().Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				walk(append(path[:len(path):len(path)], child.Name()))
			}
		}
	}
	walk(nil)
	if seen < 25 {
		t.Errorf("only %d commands were found", seen)
	}
}
