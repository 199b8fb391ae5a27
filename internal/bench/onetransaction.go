package bench

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"plexy/internal/access"
	"plexy/internal/app"
	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/customer"
	"plexy/internal/id"
	"plexy/internal/vault"
)

// yardstickPool is how many connections the second yardstick has: one for each of the load's.
const yardstickPool = 64

// yardstick answers authorize the way most services are written: one transaction per request, a
// statement per step, the rows that decide locked by SELECT … FOR UPDATE. Schema, checks, decision (the
// real machine) and the rows written are those of the real server; what differs is that nothing is
// gathered. It is generous where it can be: the payer comes in one statement, and nothing is logged.
type yardstick struct {
	pool   *pgxpool.Pool
	vaults *app.Vaults
	ids    *id.Maker
	clock  clock.Clock
}

// ServeOneTransaction serves the second yardstick on the configured address of a (its Listen) over its
// PostgreSQL database, until ctx ends.
func ServeOneTransaction(ctx context.Context, a *app.App) error {
	cfg, err := pgxpool.ParseConfig(a.Config.Database)
	if err != nil {
		return errors.New("the database has no postgres:// address") // the parser's error may hold a password
	}
	cfg.MinConns, cfg.MaxConns = yardstickPool, yardstickPool
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("make the pool: %w", err)
	}
	defer pool.Close()
	y := &yardstick{pool: pool, vaults: a.Vaults(), ids: id.NewMaker(), clock: clock.System{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := pool.Ping(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /v1/wallet/authorize", y.authorize)
	return serve(ctx, a.Config.Listen, mux)
}

// errNoKey is an API key that there is none of.
var errNoKey = errors.New("no such API key")

func (y *yardstick) authorize(w http.ResponseWriter, r *http.Request) {
	in, err := y.instruction(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	outcome, err := y.decide(r, in)
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, errNoKey):
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case errors.As(err, &refused) && refused.Code == "23505": // the same key at the same time
		http.Error(w, "another request with this key is being decided", http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case outcome.Stale:
		http.Error(w, "the vault's keys changed", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(outcome.Reply.Status)
		w.Write(outcome.Reply.Body)
	}
}

// instruction reads a request, with the same checks of its fields as the real door's.
func (y *yardstick) instruction(r *http.Request) (machine.Instruction, error) {
	var fields authorizeBody
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return machine.Instruction{}, err
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return machine.Instruction{}, errors.New("not JSON")
	}
	phone, err := customer.ParsePhone(fields.PhoneNumber)
	if err != nil {
		return machine.Instruction{}, err
	}
	iin, err := customer.ParseIIN(fields.IIN)
	if err != nil {
		return machine.Instruction{}, err
	}
	currency, known := money.Lookup(fields.Currency)
	key := r.Header.Get("Idempotency-Key")
	if !known || fields.Amount <= 0 || fields.OrderReference == "" || key == "" {
		return machine.Instruction{}, errors.New("a field or the idempotency key is missing or malformed")
	}
	v := y.vaults.Current()
	byIIN := v.Indexes(vault.PurposeIIN, iin.Reveal())
	return machine.Instruction{
		Key: key, Fingerprint: sha256.Sum256(body), Render: renderAnswer,
		Origin: journal.Origin{RequestID: y.ids.New(id.Request), IdempotencyKey: key},
		Command: machine.Authorize{
			Stem: id.Transaction + y.ids.Stem(), Book: vault.Book(byIIN[0]), Currency: currency,
			OrderReference: fields.OrderReference, Amount: fields.Amount,
			Who: machine.Who{
				IIN: texts(byIIN), Generation: v.Generation(),
				Phone: texts(v.Indexes(vault.PurposePhone, phone.Reveal())),
			},
		},
	}, nil
}

func texts(indexes []vault.Index) []string {
	out := make([]string, len(indexes))
	for i, index := range indexes {
		out[i] = string(index)
	}
	return out
}

// renderAnswer renders the five documented fields.
func renderAnswer(o machine.Outcome) machine.Reply {
	if o.Reason != "" {
		return machine.Reply{Status: http.StatusUnprocessableEntity, Body: []byte(o.Reason)}
	}
	t := o.Transaction
	body, err := json.Marshal(authorizeAnswer{
		ID: t.ID, Status: string(t.Status), OrderReference: t.OrderReference,
		Amount: t.Amount, Currency: string(t.Currency),
	})
	if err != nil {
		panic("bench: an answer cannot fail to encode")
	}
	return machine.Reply{Status: http.StatusCreated, Body: body}
}

// decide runs the request's transaction on one connection of the pool.
func (y *yardstick) decide(r *http.Request, in machine.Instruction) (machine.Outcome, error) {
	ctx := r.Context()
	conn, err := y.pool.Acquire(ctx)
	if err != nil {
		return machine.Outcome{}, fmt.Errorf("wait for a connection: %w", err)
	}
	defer conn.Release()
	c := in.Command.(machine.Authorize)
	if err := findKey(ctx, conn, r.Header.Get("Authorization"), &in); err != nil {
		return machine.Outcome{}, err
	}
	c.Merchant = in.Scope
	in.Command = c
	var outcome machine.Outcome
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		step := &singleStep{tx: tx, state: machine.NewState()}
		if err := step.load(ctx, in, c); err != nil {
			return err
		}
		outcome = machine.Step(step.state, machine.Stamp{At: y.clock.Now()}, in)
		return step.save(ctx)
	})
	return outcome, err
}

// findKey looks the API key up and puts it and its merchant into the instruction.
func findKey(ctx context.Context, conn *pgxpool.Conn, secret string, in *machine.Instruction) error {
	if !access.WellFormed(secret) {
		return errNoKey
	}
	hash := access.HashOf(secret)
	err := conn.QueryRow(ctx, "select id, merchant_id from api_keys where hash = $1 and revoked_at = 0",
		hash[:]).Scan(&in.Origin.APIKeyID, &in.Scope)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNoKey
	}
	return err
}
