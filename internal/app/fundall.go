package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/id"
)

// fundedTogether is how many movements FundAll commits at once.
const fundedTogether = 256

// FundAll does what Fund does, many times and fast: movements without references, several hundred in one
// durable transaction each. It stops at the first that is refused; those before it stay done. It is for
// databases that nobody rotates keys in meanwhile.
func (a *App) FundAll(ctx context.Context, all []Funding) error {
	for chunk := range slices.Chunk(all, fundedTogether) {
		if err := a.fundTogether(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) fundTogether(ctx context.Context, chunk []Funding) error {
	batch := commit.Batch{Storage: a.Storage, Clock: a.clock}
	for _, f := range chunk {
		p, err := f.Holder.check()
		if err != nil {
			return err
		}
		if f.Reference != "" {
			return usage("a movement with a reference is made one by one")
		}
		if err := f.check(); err != nil {
			return err
		}
		v := a.vaults.Current()
		opening, err := a.opening(p, v)
		if err != nil {
			return err
		}
		batch.Instructions = append(batch.Instructions, machine.Instruction{
			Origin: journal.Origin{RequestID: a.ids.New(id.Request)},
			Command: machine.Fund{
				Direction: f.Direction, Who: p.who(v), Currency: p.currency, Amount: f.Amount,
				Opening: opening, By: a.by(f.Reason),
			},
		})
	}
	outcomes, err := batch.Run(ctx)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, o := range outcomes {
		if o.Stale {
			return errors.Join(commit.ErrStale, a.vaults.Refresh(ctx))
		}
		if o.Reason != "" {
			return refused(o.Reason)
		}
	}
	return nil
}

// Vaults gives the vault of the newest generation that this process has seen.
func (a *App) Vaults() *Vaults { return a.vaults }
