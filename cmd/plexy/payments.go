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
		Use: "unknown", Short: "List what was asked of acquirers and whose outcome is not known",
		Long: `List what was asked of acquirers and whose outcome is not known, the oldest first.

After them stand, marked DIFFERENCE, operations of the last 30 days that are settled and of which the acquirer
said something else later: that changed nothing, and somebody must look into it.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				all, err := a.UnknownOperations(cmd.Context())
				if err != nil {
					return err
				}
				return c.print(cmd, all, func(w io.Writer) {
					for _, u := range all {
						printUnknown(w, u)
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
	settle := c.paymentsSettle()
	c.printsRecord(unknown, show, settle)
	return c.group("payments", "Card payments and what is not known of them", unknown, show, settle,
		c.directKey())
}

func (c *cli) paymentsSettle() *cobra.Command {
	var s app.Settlement
	cmd := &cobra.Command{
		Use:   "settle OPERATION --outcome approved|declined|failed --reason TEXT",
		Short: "Settle an operation whose outcome is unknown, as if its acquirer had answered",
		Long: `Settle an operation whose outcome is unknown, as if its acquirer had answered. Ask the acquirer's
people first, and best wait until it is not asked after any more (payments unknown: left to a person): what
the acquirer says later changes nothing, and shows as a DIFFERENCE.

  approved  the acquirer did it
  declined  the acquirer refused it
  failed    it never happened, and never will

OPERATION is the operationId of payments unknown --json and payments show --json. Money, event and status
change in one step, the merchant is told as always, and an audit row says who did it and why. The same command
again changes nothing; another outcome is refused.`,
		Args: exactly("OPERATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.Operation = args[0]
			if cmd.Flags().Changed("reference") && s.Reference == "" {
				return fmt.Errorf("%w: --reference must not be empty", app.ErrUsage)
			}
			return c.with(cmd, false, func(a *app.App) error {
				p, err := a.SettleOperation(cmd.Context(), s)
				if err != nil {
					return err
				}
				return c.print(cmd, p, func(w io.Writer) { printPayment(w, p) })
			})
		},
	}
	cmd.Flags().StringVar(&s.Outcome, "outcome", "", "approved, declined or failed")
	cmd.Flags().StringVar(&s.Reference, "reference", "", "the acquirer's reference number, up to 12 characters")
	explained(&s.Reason, cmd)
	return required(cmd, "outcome", "reason")
}

func printUnknown(w io.Writer, u app.UnknownOperation) {
	next := "next " + u.NextCheckAt
	switch {
	case u.Contradictions > 0 && u.State != "sent":
		next = fmt.Sprintf("DIFFERENCE: it is %s, and %d times something else was said, last %s", u.State,
			u.Contradictions, u.UpdatedAt)
	case u.NextCheckAt == "":
		next = "left to a person: payments settle " + u.OperationID
	}
	fmt.Fprintf(w, "%s\t%s\t%d %s\tfor %s\tasked after %d times, %s\t%s\n", u.TransactionID, u.Operation,
		u.Amount, u.Currency, time.Duration(u.AgeSeconds)*time.Second, u.Checks, next, u.MerchantID)
}

func printPayment(w io.Writer, p app.CardPayment) {
	fmt.Fprintf(w, "transaction\t%s\nmerchant\t%s\nstatus\t%s %s%s\n", p.TransactionID, p.MerchantID, p.Status,
		p.ResponseCode, p.Reason)
	fmt.Fprintf(w, "amount\t%d %s\nauthorized\t%d\ncaptured\t%d\ncancelled\t%d\nrefunded\t%d\n", p.Amount,
		p.Currency, p.Authorized, p.Captured, p.Cancelled, p.Refunded)
	for _, o := range p.Operations {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", o.CreatedAt, o.Operation, o.Amount, operationState(o))
	}
}

// operationState says what became of an operation.
func operationState(o app.CardOperation) string {
	switch {
	case o.Unknown:
		return "unknown: " + o.OperationID
	case o.ByHand:
		return o.State + " by hand"
	}
	return o.State + " " + o.ResponseCode
}
