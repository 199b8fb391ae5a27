package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plexy/internal/app"
	"plexy/internal/pgtest"
)

// diagnosis runs the doctor and returns the names of what is unsafe. Its exit code must say the same.
func (r *rig) diagnosis(args ...string) (unsafe []string, all app.Diagnosis) {
	r.Helper()
	a := r.try(append([]string{"doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(a.out), &all); err != nil {
		r.Fatalf("the doctor ended with %d and said %q %q: %v", a.code, a.out, a.err, err)
	}
	for _, c := range all.Checks {
		if c.Verdict == app.Unsafe {
			unsafe = append(unsafe, c.Name)
		}
		if (c.Verdict == app.Safe) != (c.Remedy == "") || c.Found == "" {
			r.Errorf("a check says %+v", c)
		}
	}
	want := 0
	if len(unsafe) > 0 {
		want = exitTrouble
	}
	if a.code != want || all.Safe != (want == 0) {
		r.Errorf("with %v unsafe the doctor ended with %d and safe is %t", unsafe, a.code, all.Safe)
	}
	return unsafe, all
}

func TestDoctorFindsNothingOnASafeInstallation(t *testing.T) {
	r := newRig(t)
	s := r.serve("--environment", "production")
	if unsafe, _ := r.diagnosis(); len(unsafe) != 0 {
		t.Errorf("a production installation as it is made is unsafe in %v", unsafe)
	}
	if out := r.do("doctor"); !strings.Contains(out, "safe") || strings.Contains(out, "unsafe") {
		t.Errorf("the doctor says %s", out)
	}
	s.stop()
}

func TestDoctorNamesWhatIsUnsafe(t *testing.T) {
	r := newRig(t)
	r.do("merchant", "create", "--name", "Shop", "--environment", "production")
	expect := func(name string, args ...string) {
		t.Helper()
		if unsafe, _ := r.diagnosis(args...); !slices.Equal(unsafe, []string{name}) {
			t.Errorf("with %v unsafe is %v, want %s", args, unsafe, name)
		}
	}
	expect("listen", "--listen", "0.0.0.0:8080")
	expect("listen", "--listen", "10.0.0.5:8080")
	expect("listen", "--listen", "pay.example:8080")
	expect("metrics_listen", "--metrics-listen", ":9090")
	expect("metrics_listen", "--metrics-listen", "203.0.113.7:9090")
	expect("rate_limit", "--rate-limit", "0")
	safe, _ := r.diagnosis("--listen", "0.0.0.0:8080", "--tls-in-front", "--metrics-listen", "10.0.0.5:9090")
	if len(safe) != 0 {
		t.Errorf("behind TLS and with metrics on a private network unsafe is %v", safe)
	}

	mode := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(r.data, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mode("master.key", 0o640)
	expect("master_key_file")
	mode("master.key", 0o600)
	file := filepath.Join(t.TempDir(), "plexy.yaml")
	if err := os.WriteFile(file, []byte("log_level: warn\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect("config_file", "--config", file)
	t.Setenv("PLEXY_TEST_CLOCK_SKEW", "1s")
	expect("test_hooks")
	mode("plexy.db", 0o604)
	if unsafe, _ := r.diagnosis(); !slices.Contains(unsafe, "database_file") {
		t.Errorf("with a database that everybody can read unsafe is %v", unsafe)
	}
}

// TestDoctorOnCardPayments: what would hurt, and what is as it should be.
func TestDoctorOnCardPayments(t *testing.T) {
	r := newRig(t)
	r.do("merchant", "create", "--name", "Shop", "--environment", "production")
	key := filepath.Join(t.TempDir(), "host.key")
	if err := os.WriteFile(key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	host := "iso8583_addresses: 10.0.0.7:5000\niso8583_acquirer: \"1\"\n"
	linked := host + "acquirer: iso8583\niso8583_merchant: M\niso8583_terminal: T\n"
	for _, c := range []struct {
		settings string
		unsafe   []string
		advice   string
	}{
		{"", nil, "acquirer"},
		{linked + "public_url: https://pay.example\n", nil, "iso8583_tls"},
		{linked, []string{"public_url"}, ""},
		{linked + "public_url: https://pay.example\niso8583_timeout: 60s\n", nil, "iso8583_timeout"},
		{host + "acquirer: iso8583\npublic_url: https://pay.example\n", []string{"acquirer"}, ""},
		{"acquirer: sandbox\nenvironment: production\n", []string{"acquirer"}, ""},
		{host + "iso8583_tls: \"on\"\niso8583_tls_certificate_file: " + key + "\niso8583_tls_key_file: " + key,
			[]string{"iso8583_tls"}, ""},
		{"direct_padding: pkcs1v15\n", nil, "direct_padding"},
		{"webhook_proxy_credentials: a:b\n", []string{"webhook_proxy"}, ""},
		{"webhook_proxy: http://203.0.113.7:3128\nwebhook_proxy_credentials: a:b\n", []string{"webhook_proxy"}, ""},
		{"webhook_proxy: http://10.0.0.7:3128\nwebhook_proxy_credentials: a:b\n", nil, ""},
		{"webhook_networks: 10.1.0.0/16\n", nil, "webhook_networks"},
		{"webhook_networks: 0.0.0.0/0\n", []string{"webhook_networks"}, ""},
	} {
		file := filepath.Join(t.TempDir(), "plexy.yaml")
		if err := os.WriteFile(file, []byte("log_level: warn\n"+c.settings), 0o600); err != nil {
			t.Fatal(err)
		}
		unsafe, all := r.diagnosis("--config", file)
		advised := c.advice == "" || slices.ContainsFunc(all.Checks, func(found app.Check) bool {
			return found.Name == c.advice && found.Verdict == app.Advice
		})
		if !slices.Equal(unsafe, c.unsafe) || !advised {
			t.Errorf("with %q unsafe is %v, want %v; %+v", c.settings, unsafe, c.unsafe, all.Checks)
		}
	}
}

func TestDoctorOnASandbox(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.do("merchant", "create", "--name", "Shop")
		if unsafe, _ := r.diagnosis(); !slices.Contains(unsafe, "environment") {
			t.Errorf("a sandbox is unsafe in %v only", unsafe)
		}
	})
}

func TestDoctorOnPostgreSQL(t *testing.T) {
	r := &rig{TB: t, data: filepath.Join(t.TempDir(), "data"), database: pgtest.Database(t)}
	r.do("merchant", "create", "--name", "Shop", "--environment", "production")
	_, all := r.diagnosis()
	found := map[string]app.Check{}
	for _, c := range all.Checks {
		found[c.Name] = c
	}
	for name, verdict := range map[string]app.Verdict{
		"postgres_fsync": app.Safe, "postgres_synchronous_commit": app.Safe, "database_password": app.Safe,
		"backup": app.Advice,
	} {
		if found[name].Verdict != verdict {
			t.Errorf("%s is %+v", name, found[name])
		}
	}
	for _, name := range []string{"postgres_full_page_writes", "postgres_role", "database_transport"} {
		if found[name].Name == "" {
			t.Errorf("the doctor does not look at %s", name)
		}
	}
	role := found["postgres_role"]
	if super := strings.HasSuffix(role.Found, "on"); super != (role.Remedy != "") {
		t.Errorf("the role is judged %+v", role)
	}
}

// TestProductionRefusesDefaultSecrets: what everybody can guess does not start, and leaves nothing behind.
func TestProductionRefusesDefaultSecrets(t *testing.T) {
	r := newRig(t)
	production := []string{"serve", "--listen", "127.0.0.1:0", "--environment", "production"}
	for _, password := range []string{"password", "Postgres", "me"} {
		elsewhere := &rig{TB: t, data: r.data, database: "postgres://me:" + password + "@127.0.0.1:1/plexy"}
		a := elsewhere.try(production...)
		if a.code != exitUsage || !strings.Contains(a.err, "everybody knows") ||
			strings.Contains(a.err, password+"@") {
			t.Errorf("with the password %s the server ended with %d %s", password, a.code, a.err)
		}
	}
	example := "plexy-master-1:" + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("plexy678", 4)))
	t.Setenv("PLEXY_MASTER_KEY", example)
	r.refuse(exitUsage, "looks like an example", production...)
	r.refuse(exitUsage, "looks like an example",
		"merchant", "create", "--name", "x", "--environment", "production")
	if _, err := os.Stat(r.data); !os.IsNotExist(err) {
		t.Errorf("a refused start left a folder behind: %v", err)
	}
	r.do("merchant", "create", "--name", "a sandbox does not mind")
	t.Setenv("PLEXY_MASTER_KEY", "")
	os.Unsetenv("PLEXY_MASTER_KEY")
	t.Setenv("PLEXY_TEST_CLOCK_SKEW", "1s")
	r.refuse(exitUsage, "hooks of the tests", production...)
}
