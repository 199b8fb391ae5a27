package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"plexy/internal/app"
	"plexy/internal/bench"
)

// bench measures this very binary. The hidden commands are its parts: it starts them as processes of
// their own.
func (c *cli) bench() *cobra.Command {
	var quick bool
	var work string
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure this binary against a yardstick and judge the figures", Args: exactly(),
		Long: `Run the server and a load generator and print ratios to a bare net/http echo of the same JSON,
measured in the same run. Takes about twenty minutes; --quick only shows that everything runs.

It needs PostgreSQL: PLEXY_TEST_POSTGRES names a server, durable, with a role that may create databases.
The exit code is 1 when a bound is missed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := bench.Standard()
			if quick {
				cfg = bench.Quick()
			}
			binary, err := os.Executable()
			if err != nil {
				return err
			}
			cfg.Binary, cfg.WorkDir, cfg.PostgresURL = binary, work, os.Getenv("PLEXY_TEST_POSTGRES")
			cfg.Out, cfg.Progress = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return bench.Run(cmd.Context(), cfg)
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "small databases and short windows; judges nothing")
	cmd.Flags().StringVar(&work, "work", ".", "folder for the databases, on the disk to be measured")
	parts := []*cobra.Command{c.benchLoad(), c.benchEcho(), c.benchFill(), c.benchFillPayments(),
		c.benchOneTransaction()}
	for _, part := range parts {
		part.Hidden = true
	}
	cmd.AddCommand(parts...)
	return cmd
}

func (c *cli) benchLoad() *cobra.Command {
	return &cobra.Command{
		Use: "load", Short: "Play the load on stdin, as JSON, and print the outcome", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return bench.RunLoad(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

func (c *cli) benchEcho() *cobra.Command {
	cmd := &cobra.Command{
		Use: "echo", Short: "Serve the yardstick: an echo of the same JSON", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			return bench.ServeEcho(cmd.Context(), cfg.Listen)
		},
	}
	settingFlags(cmd.Flags(), "listen")
	return cmd
}

func (c *cli) benchFill() *cobra.Command {
	var wallets int
	var balance minor
	cmd := &cobra.Command{
		Use: "fill", Short: "Open the wallets of the example customers", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				return bench.Fill(cmd.Context(), a, wallets, balance.amount)
			})
		},
	}
	cmd.Flags().IntVar(&wallets, "wallets", 0, "how many wallets")
	cmd.Flags().Var(&balance, "balance", "minor units on each")
	return required(cmd, "wallets", "balance")
}

func (c *cli) benchFillPayments() *cobra.Command {
	var merchant string
	var payments int64
	cmd := &cobra.Command{
		Use: "fill-payments", Short: "Store payments by the cards that are stored", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				return bench.FillPayments(cmd.Context(), a, merchant, payments)
			})
		},
	}
	cmd.Flags().StringVar(&merchant, "merchant", "", "whose payments")
	cmd.Flags().Int64Var(&payments, "payments", 0, "how many")
	return required(cmd, "merchant", "payments")
}

func (c *cli) benchOneTransaction() *cobra.Command {
	cmd := &cobra.Command{
		Use: "one-transaction", Short: "Serve the same work as one transaction per request", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				if _, sqlite := a.Config.SQLitePath(); sqlite {
					return errors.New("this yardstick is on PostgreSQL")
				}
				return bench.ServeOneTransaction(cmd.Context(), a)
			})
		},
	}
	settingFlags(cmd.Flags(), "listen")
	return cmd
}
