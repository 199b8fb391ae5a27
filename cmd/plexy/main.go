// Command plexy is the whole platform in one binary: the server, and what staff do beside it.
//
// Exit codes: 0 done; 1 trouble, or verify or doctor found something; 2 the command or the configuration is
// wrong; 3 refused, nothing was changed; 4 the database belongs to another installation, master key or
// server, or has none.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"plexy/internal/app"
	"plexy/internal/config"
)

// The exit codes.
const (
	exitTrouble      = 1
	exitUsage        = 2
	exitRefused      = 3
	exitInstallation = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	// A second SIGTERM says nothing new: make passes on what its process group was sent already.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs one command and returns its exit code. Errors go to stderr, in one line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &cli{}
	root := c.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	oneLine := strings.NewReplacer("\n\t", " ", "\n", "; ").Replace(err.Error())
	fmt.Fprintf(stderr, "plexy: %s\n", oneLine)
	switch {
	case errors.Is(err, app.ErrUsage), errors.Is(err, config.ErrConfig), !c.started:
		return exitUsage
	case errors.Is(err, app.ErrRefused):
		return exitRefused
	case errors.Is(err, app.ErrInstallation):
		return exitInstallation
	}
	return exitTrouble
}

// cli is what the commands of one run share.
type cli struct {
	started bool // a command began to run: what fails now is no longer about how it was called
	json    bool
	file    string
}

func (c *cli) root() *cobra.Command {
	root := c.group("plexy", "An open payment platform: wallets, authorizations, captures and refunds")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&c.file, "config", "", "configuration file (YAML); also PLEXY_CONFIG")
	settingFlags(flags, "data", "database", "environment", "master_key_file")
	root.AddCommand(
		c.serve(), c.migrate(), c.merchant(), c.key(), c.wallet(), c.payments(), c.webhook(), c.listen(),
		c.explain(), c.verify(), c.backup(), c.vault(), c.config(), c.doctor(), c.sandbox(), c.bench(), c.version(),
	)
	c.watch(root)
	return root
}

// watch notes when a command begins to run. The library's own hooks run before it has checked the flags.
func (c *cli) watch(cmd *cobra.Command) {
	if do := cmd.RunE; do != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			c.started = true
			return do(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		c.watch(child)
	}
}

// group is a command that only holds others.
func (c *cli) group(use, short string, children ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: there is no command %q; see %s --help", app.ErrUsage, args[0], cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
	g.AddCommand(children...)
	return g
}
