package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) payments() *cobra.Command {
	unknown := &cobra.Command{
		Use: "unknown", Short: "List what was asked of acquirers and whose outcome is not known, the oldest first",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				all, err := a.UnknownOperations(cmd.Context())
				if err != nil {
					return err
				}
				return c.print(cmd, all, func(w io.Writer) {
					for _, u := range all {
						next := u.NextCheckAt
						if next == "" {
							next = "left to a person"
						}
						fmt.Fprintf(w, "%s\t%s\t%d %s\tfor %s\tasked after %d times, next %s\t%s\n", u.TransactionID,
							u.Operation, u.Amount, u.Currency, time.Duration(u.AgeSeconds)*time.Second, u.Checks, next,
							u.MerchantID)
					}
				})
			})
		},
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show a card payment and all that was asked of its acquirer", Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				p, err := a.CardPayment(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return c.print(cmd, p, func(w io.Writer) { printPayment(w, p) })
			})
		},
	}
	c.printsRecord(unknown, show)
	return c.group("payments", "Card payments and what is not known of them", unknown, show, c.directKey())
}

func printPayment(w io.Writer, p app.CardPayment) {
	fmt.Fprintf(w, "transaction\t%s\nmerchant\t%s\nstatus\t%s %s%s\n", p.TransactionID, p.MerchantID, p.Status,
		p.ResponseCode, p.Reason)
	fmt.Fprintf(w, "amount\t%d %s\nauthorized\t%d\ncaptured\t%d\ncancelled\t%d\nrefunded\t%d\n", p.Amount,
		p.Currency, p.Authorized, p.Captured, p.Cancelled, p.Refunded)
	for _, o := range p.Operations {
		state := o.State
		if o.Unknown {
			state = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s %s\n", o.CreatedAt, o.Operation, o.Amount, state, o.ResponseCode)
	}
}
