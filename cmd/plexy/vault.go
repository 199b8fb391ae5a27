package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) vault() *cobra.Command {
	var reason string
	rotate := &cobra.Command{
		Use: "rotate", Short: "Seal and index all personal data anew with a fresh key, while servers run",
		Long: `Seal and index all personal data anew with a fresh data key, then remove the old one.

Servers go on while it runs. If it is interrupted, running it again finishes what was begun first.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				r, err := a.RotateVault(cmd.Context(), reason)
				if err != nil {
					return err
				}
				return c.print(cmd, r, func(w io.Writer) {
					fmt.Fprintf(w, "active key\t%s\ngeneration\t%d\nrecords sealed anew\t%d\n",
						r.KeyID, r.Generation, r.Resealed)
				})
			})
		},
	}
	c.printsRecord(rotate)
	explained(&reason, rotate)
	return c.group("vault", "Look after the keys of personal data", rotate)
}
