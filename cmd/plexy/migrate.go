package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// migrations is the record of migrate.
type migrations struct {
	DryRun     bool     `json:"dryRun"`
	Migrations []string `json:"migrations"`
}

func (c *cli) migrate() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database's schema up to date", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			names, err := app.Migrate(cmd.Context(), cfg, dryRun)
			if err != nil {
				return err
			}
			record := migrations{DryRun: dryRun, Migrations: append([]string{}, names...)}
			return c.print(cmd, record, func(w io.Writer) {
				did := "ran"
				if dryRun {
					did = "would run"
				}
				for _, name := range names {
					fmt.Fprintf(w, "%s\t%s\n", did, name)
				}
				if len(names) == 0 {
					fmt.Fprintln(w, "the schema is up to date")
				}
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only name the migrations that would run")
	c.printsRecord(cmd)
	return cmd
}
