package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// saved is the record of backup.
type saved struct {
	File string `json:"file"`
}

func (c *cli) backup() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy the SQLite database as it is now into a new file, while the server runs",
		Long: `Copy the SQLite database as it is now into a new file, while the server runs.

The master key is not in it and has to be kept apart: without it nothing sealed in the copy can be read.
A PostgreSQL database is backed up with pg_dump.`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				if err := a.Backup(cmd.Context(), args[0]); err != nil {
					return err
				}
				return c.print(cmd, saved{args[0]}, func(w io.Writer) { fmt.Fprintf(w, "saved\t%s\n", args[0]) })
			})
		},
	}
	c.printsRecord(cmd)
	return cmd
}
