package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"plexy/internal/app"
	"plexy/internal/clock"
)

func (c *cli) sandbox() *cobra.Command {
	return c.group("sandbox", "What only a sandbox can do", c.sandboxClock())
}

func (c *cli) sandboxClock() *cobra.Command {
	var freeze, unfreeze bool
	var advance step
	var reason string
	cmd := &cobra.Command{
		Use: "clock", Short: "Show the test clock; freeze it, let it go on, or move it forward", Args: exactly(),
		Long: `Show the test clock of a sandbox, after changing it as the flags say.

Every server and every command on the database follows it within half a second, and it never goes back.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			change := clock.Change{Advance: time.Duration(advance)}
			if freeze || unfreeze {
				change.Freeze = &freeze
			}
			return c.with(cmd, false, func(a *app.App) error {
				if change == (clock.Change{}) {
					shown, err := a.TestClock(cmd.Context())
					return c.printClock(cmd, shown, err)
				}
				shown, err := a.SetTestClock(cmd.Context(), change, reason)
				if errors.Is(err, clock.ErrAdvance) {
					err = fmt.Errorf("%w: --advance: %w", app.ErrUsage, err)
				}
				return c.printClock(cmd, shown, err)
			})
		},
	}
	cmd.Flags().BoolVar(&freeze, "freeze", false, "let it stand still, a second from now")
	cmd.Flags().BoolVar(&unfreeze, "unfreeze", false, "let it go on from where it stands")
	cmd.Flags().Var(&advance, "advance", "move it forward by a duration such as 90s, 168h or 7d")
	cmd.MarkFlagsMutuallyExclusive("freeze", "unfreeze")
	c.printsRecord(cmd)
	explained(&reason, cmd)
	return cmd
}

func (c *cli) printClock(cmd *cobra.Command, shown app.TestClock, err error) error {
	if err != nil {
		return err
	}
	return c.print(cmd, shown, func(w io.Writer) {
		state := "runs"
		if shown.Frozen {
			state = "stands still"
		}
		fmt.Fprintf(w, "now\t%s\nstate\t%s\noffset\t%s\n", shown.Now, state, shown.Offset)
	})
}

// step is a flag of a duration above 0.
type step time.Duration

func (s *step) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

func (s *step) Set(text string) error {
	d, err := clock.Duration(text)
	if err != nil || d <= 0 {
		return errors.New("must be a duration above 0, such as 90s, 168h or 7d")
	}
	*s = step(d)
	return nil
}

func (s *step) Type() string { return "duration" }
