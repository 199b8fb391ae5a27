package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// errBroken ends verify with exit code 1; what is wrong stands in the report.
var errBroken = errors.New("the books are not in order")

func (c *cli) verify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Recompute the books from their entries; exit 0 only if every invariant holds",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				report, err := a.Verify(cmd.Context())
				if err != nil {
					return err
				}
				if c.json {
					err = c.print(cmd, report, nil)
				} else if _, err = report.WriteTo(cmd.OutOrStdout()); err != nil {
					err = fmt.Errorf("print the report: %w", err)
				}
				if err == nil && !report.OK() {
					err = errBroken
				}
				return err
			})
		},
	}
	c.printsRecord(cmd)
	return cmd
}
