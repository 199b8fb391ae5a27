package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"plexy/internal/app"
	"plexy/internal/pgtest"
)

const root = "../.."

// block returns a shell block of a page: the one after <!-- run: NAME -->, or the one that begins with NAME.
func block(t *testing.T, page, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	name = regexp.QuoteMeta(name)
	start := "(?:<!-- run: " + name + " -->\n```sh\n|```sh\n" + name + ")"
	found := regexp.MustCompile("(?s)" + start + ".*?```").FindString(string(text))
	if found == "" {
		t.Fatalf("%s has no block %s", page, name)
	}
	_, found, _ = strings.Cut(found, "```sh\n")
	return strings.TrimSuffix(found, "```")
}

// desk is a folder in which a person follows the documentation, with plexy in the PATH.
type desk struct {
	*rig
	folder string
	env    []string
}

func newDesk(t *testing.T, env ...string) *desk {
	folder := t.TempDir()
	tools := filepath.Join(folder, "bin")
	build := exec.Command("go", "build", "-o", filepath.Join(tools, "plexy"), "plexy/cmd/plexy")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	d := &desk{rig: &rig{TB: t, data: filepath.Join(folder, "plexy-data")}, folder: folder}
	d.database = "sqlite:" + filepath.Join(d.data, "plexy.db")
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "PLEXY_") && !strings.HasPrefix(line, "PATH=") {
			d.env = append(d.env, line)
		}
	}
	d.env = append(d.env, "PATH="+tools+":"+os.Getenv("PATH"), "BACKUPS="+t.TempDir(), "VAULT="+t.TempDir())
	d.env = append(d.env, env...)
	return d
}

// follow runs a block as it stands.
func (d *desk) follow(commands string) string {
	d.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir, cmd.Env = d.folder, d.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

// sale makes a merchant, a wallet and a hold, and returns the merchant's key and the transaction's id.
func (d *desk) sale(s *running) (key, id string) {
	d.Helper()
	var shop app.NewMerchant
	d.record(&shop, "merchant", "create", "--name", "Shop")
	d.do(person(1).of("wallet", "top-up", "--amount", "1000")...)
	status, made, err := s.authorize(shop.APIKey, person(1), 7)
	if err != nil || status != 201 || made.Status != "SUCCESS" {
		d.Fatalf("authorize answered %d %+v %v", status, made, err)
	}
	return shop.APIKey, made.ID
}

// stillThere starts a server and asks it for what was sold before.
func (d *desk) stillThere(key, id string) {
	d.Helper()
	s := d.serve()
	status, kept, err := s.call(key, http.MethodGet, "/v1/wallet/transaction/"+id, nil)
	if err != nil || status != 200 || kept.State != "authorized" {
		d.Errorf("after the restore the sale is %d %+v %v", status, kept, err)
	}
	if status, made, err := s.authorize(key, person(1), 7); status != 201 || made.Status != "SUCCESS" {
		d.Errorf("after the restore authorize answers %d %+v %v", status, made, err)
	}
}

func TestDocumentedBackupOfSQLite(t *testing.T) {
	d := newDesk(t)
	s := d.serve()
	key, id := d.sale(s)
	d.follow(block(t, "docs/operating.md", "sqlite-backup"))
	s.stop()
	if err := os.RemoveAll(d.data); err != nil { // the machine is lost
		t.Fatal(err)
	}
	if out := d.follow(block(t, "docs/operating.md", "sqlite-restore")); !strings.Contains(out, "in order") {
		t.Errorf("the restored books are not verified:\n%s", out)
	}
	d.stillThere(key, id)
}

func TestDocumentedBackupOfPostgres(t *testing.T) {
	tools := pgtest.Tools(t)
	lost, restored := pgtest.Database(t), pgtest.Database(t)
	d := newDesk(t, "PLEXY_DATABASE="+lost, "RESTORED="+restored)
	d.env = append(d.env, "PATH="+filepath.Join(d.folder, "bin")+":"+tools+":"+os.Getenv("PATH"))
	d.database = lost
	s := d.serve()
	key, id := d.sale(s)
	d.follow(block(t, "docs/operating.md", "postgres-backup"))
	s.stop()
	if err := os.RemoveAll(d.data); err != nil {
		t.Fatal(err)
	}
	if out := d.follow(block(t, "docs/operating.md", "postgres-restore")); !strings.Contains(out, "in order") {
		t.Errorf("the restored books are not verified:\n%s", out)
	}
	d.database = restored
	d.stillThere(key, id)
}

func TestDocumentedCommands(t *testing.T) {
	d := newDesk(t)
	d.follow(block(t, "README.md", "bin/plexy merchant create"))
	out := d.follow(block(t, "docs/operating.md", "plexy verify"))
	if !strings.Contains(out, "in order") {
		t.Errorf("verify says %s", out)
	}
	d.follow(block(t, "docs/operating.md", "plexy vault rotate"))
}

// TestReadmeStartsTheSandbox runs the README's first command, on a folder and a port of its own, pastes
// what it prints, and stops it as a person would.
func TestReadmeStartsTheSandbox(t *testing.T) {
	if got := strings.TrimSpace(block(t, "README.md", "make run")); got != "make run" {
		t.Fatalf("the README begins with %q", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(ctx, "make", "run", "ARGS=--listen 127.0.0.1:0 --data "+data)
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	log := &buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	banner := readBanner(bufio.NewScanner(out))
	if banner == "" {
		t.Fatalf("make run ended: %v\n%s", cmd.Wait(), log)
	}
	made := pasted(t, banner, 0, "")
	if taken := pasted(t, banner, 1, "WT="+made.ID); taken.State != "partially_captured" {
		t.Errorf("the second curl answered %+v", taken)
	}
	// The program gets it twice: make passes on what the group was sent.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait() // of make, which the signal ends too; the log has the program's own word
	if !strings.Contains(log.String(), `"msg":"stopped"`) {
		t.Errorf("make run ended with %v\n%s", err, log)
	}
}

// readBanner reads until the second curl is whole.
func readBanner(lines *bufio.Scanner) string {
	var b strings.Builder
	for lines.Scan() {
		b.WriteString(lines.Text() + "\n")
		if strings.Count(b.String(), "\ncurl ") == 2 && lines.Text() == "" {
			return b.String()
		}
	}
	return ""
}
