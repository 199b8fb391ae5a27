package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"plexy/internal/app"
	"plexy/internal/config"
)

// settingFlags adds the named settings as flags; what they mean is said once, in config.
func settingFlags(flags *pflag.FlagSet, names ...string) {
	for _, s := range config.Settings() {
		for _, name := range names {
			if s.Name == name {
				flags.String(s.Flag(), "", s.Usage+" ("+s.Variable()+")")
			}
		}
	}
}

// settings loads the configuration with the flags of cmd on top.
func (c *cli) settings(cmd *cobra.Command) (config.Config, error) {
	given := map[string]string{}
	for _, s := range config.Settings() {
		if f := cmd.Flags().Lookup(s.Flag()); f != nil && f.Changed {
			given[s.Name] = f.Value.String()
		}
	}
	return config.Load(config.FromProcess(given, c.file))
}

// with opens the installation for the time of do. install makes one where there is none.
func (c *cli) with(cmd *cobra.Command, install bool, do func(*app.App) error) error {
	cfg, err := c.settings(cmd)
	if err != nil {
		return err
	}
	a, err := app.Open(cmd.Context(), cfg, app.Options{Install: install, Actor: actor()})
	if err != nil {
		return err
	}
	err = do(a)
	if closed := a.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("close the database: %w", closed))
	}
	return err
}

// actor is the user of the operating system, for the audit rows.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid:" + strconv.Itoa(os.Getuid())
}

// printsRecord adds --json to commands that print a record.
func (c *cli) printsRecord(commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.Flags().BoolVar(&c.json, "json", false, "print the record as JSON, alone on stdout")
	}
}

// explained adds --reason to commands that leave an audit row.
func explained(reason *string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.Flags().StringVar(reason, "reason", "", "why, for the audit row")
	}
}

// print writes a record: as JSON, or as text for a person.
func (c *cli) print(cmd *cobra.Command, record any, text func(io.Writer)) error {
	if c.json {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetEscapeHTML(false)
		return encoder.Encode(record)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// required marks flags without which a command does not run.
func required(cmd *cobra.Command, names ...string) *cobra.Command {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic("plexy: " + cmd.Name() + " has no flag --" + name)
		}
	}
	return cmd
}

// exactly accepts the named arguments and no others.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return fmt.Errorf("%s takes no argument and got %q", cmd.CommandPath(), args[0])
		case len(args) == 0:
			return fmt.Errorf("%s wants %s and got none", cmd.CommandPath(), strings.Join(names, " "))
		default:
			return fmt.Errorf("%s wants %s and got %q", cmd.CommandPath(), strings.Join(names, " "), args)
		}
	}
}

// minor is a flag of an amount in minor units: decimal digits, perhaps after a minus, and nothing else.
type minor struct {
	amount int64
	given  bool
}

func (m *minor) String() string {
	if !m.given {
		return ""
	}
	return strconv.FormatInt(m.amount, 10)
}

func (m *minor) Set(text string) error {
	for i, c := range []byte(text) {
		if (c < '0' || c > '9') && (c != '-' || i > 0) {
			return errors.New("must be a whole number of minor units, in digits")
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errors.New("must be a whole number of minor units that fits 64 bits")
	}
	m.amount, m.given = n, true
	return nil
}

func (m *minor) Type() string { return "minor-units" }

// optional is the amount, or nil when the flag was not given.
func (m *minor) optional() *int64 {
	if !m.given {
		return nil
	}
	return &m.amount
}
