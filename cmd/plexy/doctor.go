package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// errUnsafe ends doctor with exit code 1; what is unsafe stands in the report.
var errUnsafe = errors.New("the installation is not safe for real money")

func (c *cli) doctor() *cobra.Command {
	var exam app.Exam
	cmd := &cobra.Command{
		Use: "doctor", Short: "Name what is unsafe about the installation; exit 0 only if nothing is",
		Args: exactly(),
		Long: `Name what is unsafe about the installation and its settings; exit 0 only if nothing is.

Run it with the settings of the server: the same file, environment and flags. It changes nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				d, err := a.Diagnose(cmd.Context(), exam)
				if err != nil {
					return err
				}
				err = c.print(cmd, d, func(w io.Writer) {
					for _, check := range d.Checks {
						fmt.Fprintf(w, "%s\t%s\t%s\n", check.Verdict, check.Name, check.Found)
						if check.Remedy != "" {
							fmt.Fprintf(w, "\t\t→ %s\n", check.Remedy)
						}
					}
				})
				if err == nil && !d.Safe {
					err = errUnsafe
				}
				return err
			})
		},
	}
	settingFlags(cmd.Flags(), "listen", "metrics_listen", "rate_limit", "log_level")
	cmd.Flags().BoolVar(&exam.TLSInFront, "tls-in-front", false,
		"a TLS proxy stands before the server, and nothing else can reach it")
	c.printsRecord(cmd)
	return cmd
}
