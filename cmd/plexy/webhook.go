package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plexy/internal/app"
)

// endpointFlags are what can be set of an endpoint.
type endpointFlags struct {
	url, types, state          string
	signatures, waits, version string
	concurrency                int
	ordered, thin              bool
}

func (f *endpointFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "url", "", "address that is told of events")
	cmd.Flags().StringVar(&f.types, "event-types", "", "names of events with commas between; empty is all")
	cmd.Flags().BoolVar(&f.ordered, "ordered", true, "an object's next event waits for the one before it")
	cmd.Flags().StringVar(&f.signatures, "signatures", "",
		"what signs: hmac, ed25519 or both with a comma between; hmac unless said")
	cmd.Flags().StringVar(&f.waits, "retry-schedule", "",
		"waits between attempts with commas between, as in 5s,1m; empty is the installation's schedule")
	cmd.Flags().IntVar(&f.concurrency, "max-concurrency", 0, "attempts at a time, 1 to 64; 8 unless said")
	cmd.Flags().StringVar(&f.version, "api-version", "", "version of the bodies' form; the newest unless said")
	cmd.Flags().BoolVar(&f.thin, "thin", false, "bodies hold only the object's id and sequence as data")
}

// listed reads a list with commas or spaces between; no list is an empty one, not nil.
func listed(text string) []string {
	if fields := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }); fields != nil {
		return fields
	}
	return []string{}
}

// change returns what was given.
func (f *endpointFlags) change(cmd *cobra.Command) (c app.EndpointChange, err error) {
	given := cmd.Flags().Changed
	if given("url") {
		c.URL = &f.url
	}
	if given("event-types") {
		c.EventTypes = listed(f.types)
	}
	if given("ordered") {
		c.Ordered = &f.ordered
	}
	if given("signatures") {
		c.Signatures = listed(f.signatures)
	}
	if given("retry-schedule") {
		c.RetrySchedule = listed(f.waits)
	}
	if given("max-concurrency") {
		c.MaxConcurrency = &f.concurrency
	}
	if given("api-version") {
		c.APIVersion = &f.version
	}
	if given("thin") {
		c.Thin = &f.thin
	}
	if given("state") {
		if f.state != "enabled" && f.state != "disabled" {
			return c, fmt.Errorf("%w: --state is enabled or disabled", app.ErrUsage)
		}
		enabled := f.state == "enabled"
		c.Enabled = &enabled
	}
	return c, nil
}

// counted is the record of webhook replay.
type counted struct {
	Replayed int `json:"replayed"`
}

// deleted is the record of webhook delete.
type deleted struct {
	EndpointID string `json:"endpointId"`
	Deleted    bool   `json:"deleted"`
}

func (c *cli) webhook() *cobra.Command {
	var merchant, reason string
	create, set := c.createEndpoint(&merchant, &reason), c.setEndpoint(&merchant, &reason)
	list := &cobra.Command{
		Use: "list --merchant ID", Short: "List a merchant's endpoints", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				all, err := a.Endpoints(cmd.Context(), merchant)
				if err != nil {
					return err
				}
				return c.print(cmd, all, func(w io.Writer) {
					for _, e := range all {
						fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.EndpointID, e.State, e.URL, strings.Join(e.EventTypes, ","))
					}
				})
			})
		},
	}
	remove := &cobra.Command{
		Use: "delete --merchant ID ENDPOINTID", Short: "Remove an endpoint", Args: exactly("ENDPOINTID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				if err := a.DeleteEndpoint(cmd.Context(), merchant, args[0], reason); err != nil {
					return err
				}
				return c.print(cmd, deleted{args[0], true}, func(w io.Writer) {
					fmt.Fprintf(w, "deleted\t%s\n", args[0])
				})
			})
		},
	}
	rotate := c.rotateEndpoint(&merchant, &reason)
	deliveries, replay := c.deliveries(&merchant), c.replay(&merchant)
	all := []*cobra.Command{create, list, set, remove, rotate, c.testEndpoint(&merchant), deliveries, replay}
	for _, cmd := range all {
		cmd.Flags().StringVar(&merchant, "merchant", "", "id of the merchant")
		required(cmd, "merchant")
	}
	c.printsRecord(all...)
	explained(&reason, create, set, remove, rotate)
	return c.group("webhook", "Manage the endpoints that are told of a merchant's events", all...)
}

func (c *cli) createEndpoint(merchant, reason *string) *cobra.Command {
	var f endpointFlags
	cmd := &cobra.Command{
		Use: "create --merchant ID --url URL", Short: "Create an endpoint; token and secret are shown this once",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			change, err := f.change(cmd)
			if err != nil {
				return err
			}
			return c.with(cmd, false, func(a *app.App) error {
				e, err := a.CreateEndpoint(cmd.Context(), *merchant, change, *reason)
				return c.printEndpoint(cmd, e, err)
			})
		},
	}
	f.add(cmd)
	return required(cmd, "url")
}

func (c *cli) setEndpoint(merchant, reason *string) *cobra.Command {
	var f endpointFlags
	cmd := &cobra.Command{
		Use: "set --merchant ID ENDPOINTID", Short: "Change an endpoint; what is not given stays",
		Args: exactly("ENDPOINTID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := f.change(cmd)
			if err != nil {
				return err
			}
			return c.with(cmd, false, func(a *app.App) error {
				e, err := a.SetEndpoint(cmd.Context(), *merchant, args[0], change, *reason)
				return c.printEndpoint(cmd, e, err)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.state, "state", "", "enabled or disabled")
	return cmd
}

func (c *cli) rotateEndpoint(merchant, reason *string) *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use: "rotate --merchant ID ENDPOINTID", Short: "Give an endpoint a new secret, shown this once",
		Args: exactly("ENDPOINTID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				e, err := a.RotateEndpoint(cmd.Context(), *merchant, args[0], overlap, *reason)
				return c.printEndpoint(cmd, e, err)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the secret before is signed with, too")
	return cmd
}

func (c *cli) testEndpoint(merchant *string) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "test --merchant ID ENDPOINTID", Short: "Send a made-up event to an endpoint",
		Args: exactly("ENDPOINTID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(a *app.App) error {
				d, err := a.TestEndpoint(cmd.Context(), *merchant, args[0], name)
				if err != nil {
					return err
				}
				return c.print(cmd, d, func(w io.Writer) { printDelivery(w, d) })
			})
		},
	}
	cmd.Flags().StringVar(&name, "event-type", "wallet.transaction.captured", "name of the event")
	return cmd
}

func (c *cli) printEndpoint(cmd *cobra.Command, e app.Endpoint, err error) error {
	if err != nil {
		return err
	}
	return c.print(cmd, e, func(w io.Writer) {
		fmt.Fprintf(w, "endpoint\t%s\nurl\t%s\nstate\t%s\n", e.EndpointID, e.URL, e.State)
		if e.PublicKey != "" {
			fmt.Fprintf(w, "public key\t%s\n", e.PublicKey)
		}
		if e.Secret != "" {
			if e.Token != "" {
				fmt.Fprintf(w, "token\t%s\t(shown this once)\n", e.Token)
			}
			fmt.Fprintf(w, "secret\t%s\t(shown this once)\n", e.Secret)
		}
	})
}

func (c *cli) deliveries(merchant *string) *cobra.Command {
	var state, one string
	var limit int
	var file bool
	cmd := &cobra.Command{
		Use:   "deliveries --merchant ID ENDPOINTID",
		Short: "List the deliveries to an endpoint, or show one with what the receiver said",
		Args:  exactly("ENDPOINTID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > 1000 {
				return fmt.Errorf("%w: --limit is 1 to 1000", app.ErrUsage)
			}
			if given := cmd.Flags().Changed; file && (given("limit") || given("delivery") || given("json")) {
				return fmt.Errorf("%w: --csv is a file of all, without --limit, --delivery and --json", app.ErrUsage)
			}
			return c.with(cmd, false, func(a *app.App) error {
				if file {
					return a.DeliveriesCSV(cmd.Context(), *merchant, args[0], state, cmd.OutOrStdout())
				}
				if one != "" {
					d, err := a.Delivery(cmd.Context(), *merchant, args[0], one)
					if err != nil {
						return err
					}
					return c.print(cmd, d, func(w io.Writer) { printDelivery(w, d) })
				}
				all, err := a.Deliveries(cmd.Context(), *merchant, args[0], state, limit)
				if err != nil {
					return err
				}
				return c.print(cmd, all, func(w io.Writer) {
					for _, d := range all {
						printDelivery(w, d)
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only waiting, delivered or dead")
	cmd.Flags().StringVar(&one, "delivery", "", "id of one delivery")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many, 1 to 1000")
	cmd.Flags().BoolVar(&file, "csv", false, "all of them as a file for a spreadsheet")
	return cmd
}

func printDelivery(w io.Writer, d app.Delivery) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%d attempts\n", d.DeliveryID, d.Name, d.State, d.Attempts)
	if d.URL != "" {
		fmt.Fprintf(w, "  to %s\n", d.URL)
	}
	for _, t := range d.Tried {
		fmt.Fprintf(w, "  %d\t%s\t%d ms\t%d\t%s\t%q\n", t.Number, t.At, t.Millis, t.Status, t.Error, t.Response)
	}
}

func (c *cli) replay(merchant *string) *cobra.Command {
	var from, to int64
	var failed bool
	cmd := &cobra.Command{
		Use:   "replay --merchant ID ENDPOINTID",
		Short: "Send events to an endpoint again: --from and --to are their numbers, --failed only dead letters",
		Args:  exactly("ENDPOINTID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !failed && !cmd.Flags().Changed("from") || from < 1 || to < 0 || to > 0 && to < from {
				return fmt.Errorf("%w: say --from N [--to N], or --failed", app.ErrUsage)
			}
			return c.with(cmd, false, func(a *app.App) error {
				n, err := a.Replay(cmd.Context(), *merchant, args[0], app.Again{From: from, To: to, Dead: failed})
				if err != nil {
					return err
				}
				return c.print(cmd, counted{n}, func(w io.Writer) { fmt.Fprintf(w, "replayed\t%d\n", n) })
			})
		},
	}
	cmd.Flags().Int64Var(&from, "from", 1, "number of the first event")
	cmd.Flags().Int64Var(&to, "to", 0, "number of the last event; 0 is the newest")
	cmd.Flags().BoolVar(&failed, "failed", false, "only events whose delivery is dead")
	return cmd
}
