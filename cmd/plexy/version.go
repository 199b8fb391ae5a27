package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) version() *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Say what this binary is", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := app.Version()
			return c.print(cmd, b, func(w io.Writer) {
				fmt.Fprintf(w, "plexy %s %s %s", b.Version, b.Go, b.Platform)
				if b.Revision != "" {
					fmt.Fprintf(w, " %s", b.Revision)
				}
				if b.Modified {
					fmt.Fprint(w, " (modified)")
				}
				fmt.Fprintln(w)
			})
		},
	}
	c.printsRecord(cmd)
	return cmd
}
