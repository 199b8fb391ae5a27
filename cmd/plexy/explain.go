package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

func (c *cli) explain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell the story of a transaction: requests, changes, entries, events and who was told",
		Long: `Tell the story of a wallet transaction (wt_…) or of a card payment or refund: requests, changes,
entries, events and who was told, and of a card payment what its acquirer was asked for. It ends with whether
all of it is there and adds up.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				s, err := a.Explain(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return c.print(cmd, s, func(w io.Writer) { printStory(w, s) })
			})
		},
	}
	c.printsRecord(cmd)
	return cmd
}

func printStory(w io.Writer, s app.Story) {
	fmt.Fprintf(w, "%s%s of %s is %s\n", s.TransactionID, s.PaymentID, s.MerchantID, s.State)
	for _, t := range s.Steps {
		fmt.Fprintf(w, "%d\t%s\t%s %d %s\t%s → %s\n", t.Sequence, t.At, t.Type, t.Amount, t.Currency, t.From, t.To)
		fmt.Fprintf(w, "\trequest\t%s\tkey %s, idempotency key %s\n", t.RequestID, t.APIKeyID, t.IdempotencyKey)
		if e := t.Entry; e != nil {
			fmt.Fprintf(w, "\t%s\t%s → %s\tleft %d held and %d posted there, %d and %d here\n",
				e.Move, e.Debit, e.Credit, e.DebitPending, e.DebitPosted, e.CreditPending, e.CreditPosted)
		}
		fmt.Fprintf(w, "\tevent %d\t%s\n", t.EventNumber, t.EventName)
		for _, d := range t.Deliveries {
			fmt.Fprintf(w, "\ttold\t%s\t%s after %d attempts\n", d.EndpointID, d.State, d.Attempts)
			for _, a := range d.Tried {
				fmt.Fprintf(w, "\t\t%s\t%d in %d ms %s\n", a.At, a.Status, a.Millis, a.Error)
			}
		}
	}
	for _, o := range s.Operations {
		fmt.Fprintf(w, "asked\t%s\t%s %d\t%s\n", o.CreatedAt, o.Operation, o.Amount, operationState(o))
	}
	if s.AddsUp {
		fmt.Fprintln(w, "it is whole and adds up")
	} else {
		fmt.Fprintf(w, "IT DOES NOT ADD UP: %s\n", s.Trouble)
	}
}
