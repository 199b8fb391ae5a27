package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// defaultLines is how many lines a statement shows unless told otherwise.
const defaultLines = 50

func (c *cli) walletFund(direction app.Direction, use, short string) *cobra.Command {
	f := app.Funding{Direction: direction}
	var amount minor
	cmd := &cobra.Command{
		Use: use, Short: short, Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Amount = amount.amount
			if cmd.Flags().Changed("reference") && f.Reference == "" {
				return fmt.Errorf("%w: --reference must not be empty", app.ErrUsage)
			}
			return c.with(cmd, direction == app.TopUp, func(a *app.App) error {
				record, err := a.Fund(cmd.Context(), f)
				if err != nil {
					return err
				}
				return c.printFunded(cmd, record)
			})
		},
	}
	cmd.Flags().Var(&amount, "amount", "minor units, such as 123456 for 1234.56 KZT")
	cmd.Flags().StringVar(&f.Reference, "reference", "", "a name with one effect for ever")
	c.printsRecord(cmd)
	explained(&f.Reason, cmd)
	holderFlags(cmd, &f.Holder)
	if direction == app.TopUp {
		return required(cmd, "amount")
	}
	return required(cmd, "amount", "reference", "reason")
}

// printFunded writes the record byte for byte: with a reference it is the first answer again.
func (c *cli) printFunded(cmd *cobra.Command, record []byte) error {
	if c.json {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", record)
		return err
	}
	var w app.Wallet
	if err := json.Unmarshal(record, &w); err != nil {
		return fmt.Errorf("read the wallet's record: %w", err)
	}
	return c.print(cmd, w, func(out io.Writer) { printWallet(out, w) })
}

func (c *cli) walletStatement() *cobra.Command {
	h, limit := &app.Holder{}, 0
	cmd := &cobra.Command{
		Use: "statement", Short: "List what happened to a wallet, newest first", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				s, err := a.Statement(cmd.Context(), *h, limit)
				if err != nil {
					return err
				}
				return c.print(cmd, s, func(w io.Writer) { printStatement(w, s) })
			})
		},
	}
	usage := fmt.Sprintf("the most lines to show, 1 to %d", app.StatementLimit)
	cmd.Flags().IntVar(&limit, "limit", defaultLines, usage)
	c.printsRecord(cmd)
	return holderFlags(cmd, h)
}

func printStatement(w io.Writer, s app.Statement) {
	fmt.Fprintf(w, "AT\tEVENT\tAMOUNT\tAVAILABLE\tPENDING\tPOSTED\tOPERATION\n")
	for _, l := range s.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.At, l.Event, app.Decimal(l.Amount, s.Currency),
			app.Decimal(l.Available, s.Currency), app.Decimal(l.Pending, s.Currency),
			app.Decimal(l.Posted, s.Currency), l.OperationID)
	}
}
