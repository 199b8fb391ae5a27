package sim

import (
	"context"
	"fmt"
	"math/rand/v2"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// Config says what to play.
type Config struct {
	Seed  uint64
	Steps int
	// Stores are what the two processes write to: the same store, or two openings of one database.
	Stores [2]storage.Storage
	// Interleave lets one process commit while the other is between load and save. Only a keeper that
	// decides optimistically can do that in one goroutine; where wallets are locked it would wait for ever.
	Interleave bool
	// Reopen returns a store in place of that of a process that died; nil keeps the store.
	Reopen func(process int) (storage.Storage, error)
	// AuditEvery is after how many steps everything is audited from scratch; 0 means 10,000.
	AuditEvery int
	Bug        Bug
}

// Finding is the first thing that the auditor found wrong.
type Finding struct {
	Invariant string // of docs/rules.md, or what was being done
	Seed      uint64
	Step      int
	What      string
}

// Error says what was found and how to see it again.
func (f *Finding) Error() string {
	return fmt.Sprintf("%s broken at step %d of seed %d: %s", f.Invariant, f.Step, f.Seed, f.What)
}

// Tally counts what happened in a run, to show that it all did happen.
type Tally struct {
	steps, batches, instructions, replays, refusals    int
	conflicts, died, stumbled, lost, expired, permuted int
	swept, reopened, audits, polls                     int
	// Of what waited for an owner:
	approved, completed, broke, declined, lapsed, givenUp, decided, races int
}

// String is one line of figures.
func (t Tally) String() string {
	return fmt.Sprintf("%d steps: %d instructions in %d batches, %d replays, %d refusals, %d conflicts, "+
		"%d died before commit, %d stumbled, %d answers lost, %d holds expired, %d permutations, "+
		"%d replies swept, %d polls, %d reopened, %d audits from scratch; of what waited for an owner %d were "+
		"approved, %d declined, %d lapsed, %d given up, %d completed, %d found no money, %d decided by the "+
		"background, %d raced for",
		t.steps, t.instructions, t.batches, t.replays, t.refusals, t.conflicts, t.died, t.stumbled, t.lost,
		t.expired, t.permuted, t.swept, t.polls, t.reopened, t.audits, t.approved, t.declined, t.lapsed,
		t.givenUp, t.completed, t.broke, t.decided, t.races)
}

// Add sums the figures of two runs.
func (t *Tally) Add(u Tally) {
	t.steps, t.batches, t.instructions = t.steps+u.steps, t.batches+u.batches, t.instructions+u.instructions
	t.replays, t.refusals, t.conflicts = t.replays+u.replays, t.refusals+u.refusals, t.conflicts+u.conflicts
	t.died, t.stumbled, t.lost = t.died+u.died, t.stumbled+u.stumbled, t.lost+u.lost
	t.expired, t.permuted, t.swept = t.expired+u.expired, t.permuted+u.permuted, t.swept+u.swept
	t.reopened, t.audits, t.polls = t.reopened+u.reopened, t.audits+u.audits, t.polls+u.polls
	t.approved, t.completed, t.broke = t.approved+u.approved, t.completed+u.completed, t.broke+u.broke
	t.declined, t.lapsed, t.givenUp = t.declined+u.declined, t.lapsed+u.lapsed, t.givenUp+u.givenUp
	t.decided, t.races = t.decided+u.decided, t.races+u.races
}

// Missing names what a long run must have seen and did not. Where processes interleave, one of them loses
// a race now and then.
func (t Tally) Missing(interleaved bool) []string {
	var missing []string
	if interleaved && t.conflicts == 0 {
		missing = append(missing, "conflicts")
	}
	for name, n := range map[string]int{
		"replays": t.replays, "refusals": t.refusals, "deaths": t.died, "stumbles": t.stumbled,
		"lost answers": t.lost, "expired holds": t.expired, "permutations": t.permuted,
		"swept replies": t.swept, "polls": t.polls, "audits": t.audits,
		"approvals": t.approved, "completions": t.completed, "approvals without the money": t.broke,
		"declines": t.declined, "lapses": t.lapsed, "cancels while waiting": t.givenUp,
		"decisions by the background": t.decided, "races for a decision": t.races,
	} {
		if n == 0 {
			missing = append(missing, name)
		}
	}
	return missing
}

// Simulator is one world.
type Simulator struct {
	cfg       Config
	ctx       context.Context
	random    *rand.Rand
	lanes     int
	model     *model
	observed  *observed
	processes [2]*process

	now    int64 // microseconds; each process's clock is off by its skew
	latest int64 // that any clock has shown
	step   int
	ids    uint64
	known  clients
	tally  Tally
	found  *Finding
	// permuting marks findings as V14: the order of arrival mattered.
	permuting bool
	nested    bool // a batch is under way between load and save of another
}

// begin is when the story begins, in microseconds.
const begin = 1_760_000_000_000_000

// Run plays a story and returns what happened, with the auditor's finding as the error.
func Run(ctx context.Context, cfg Config) (Tally, error) {
	if cfg.AuditEvery == 0 {
		cfg.AuditEvery = 10_000
	}
	s := &Simulator{
		cfg: cfg, ctx: ctx, random: rand.New(rand.NewPCG(cfg.Seed, 0x706c657879)), model: newModel(),
		observed: newObserved(), now: begin, lanes: cfg.Stores[0].Lanes(),
	}
	for i := range s.processes {
		s.processes[i] = &process{
			s: s, name: fmt.Sprint("process ", i+1), clock: clock.NewManual(begin), store: cfg.Stores[i],
		}
	}
	if err := s.settleIn(); err != nil {
		return s.tally, fmt.Errorf("sim: set up the world: %w", err)
	}
	for s.step = 1; s.step <= cfg.Steps && s.found == nil; s.step++ {
		s.tally.steps++
		s.tick()
		s.play()
		if s.step%cfg.AuditEvery == 0 || s.step == cfg.Steps {
			s.auditEverything()
		}
		if ctx.Err() != nil {
			return s.tally, ctx.Err()
		}
	}
	if s.found != nil {
		return s.tally, s.found
	}
	return s.tally, nil
}

// fail keeps the first finding.
func (s *Simulator) fail(invariant, format string, args ...any) {
	if s.found != nil {
		return
	}
	if s.permuting && invariant == "model" {
		invariant = "V14"
	}
	s.found = &Finding{Invariant: invariant, Seed: s.cfg.Seed, Step: s.step, What: fmt.Sprintf(format,
		args...)}
}

// must turns an error of a read or of a record's change, which nothing may disturb, into a finding.
func (s *Simulator) must(what string, err error) bool {
	if err != nil {
		s.fail("storage", "%s: %v", what, err)
	}
	return err == nil
}

const (
	microsecond = 1
	second      = 1_000_000 * microsecond
	minute      = 60 * second
	hour        = 60 * minute
	day         = 24 * hour
)

var currencies = []money.Currency{"KZT", "USD", "JPY"}

// holds are the lives of holds that merchants choose from.
var holds = []int64{second, minute, hour, day, 7 * day}

// settleIn makes the installation and its merchants.
func (s *Simulator) settleIn() error {
	store := s.processes[0].store
	err := store.Install(s.ctx, storage.Installation{
		Environment: "sandbox", MasterCheck: "-", Generation: 1, CreatedAt: begin,
		Keys: []storage.VaultKey{{ID: "vk_1", Wrapped: []byte("-"), State: "active", CreatedAt: begin}},
	})
	if err != nil {
		return err
	}
	for i := range 4 {
		m := merchant.Merchant{
			ID: fmt.Sprint("mer_", i), Name: fmt.Sprint("Shop ", i), CreatedAt: begin,
			Settings: merchant.Settings{
				HoldMicros: holds[i+1], RejectRepeats: i == 3, ApprovalMicros: minute,
			},
		}
		k := access.Key{ID: fmt.Sprint("key_", i), Merchant: m.ID, Hash: access.HashOf(m.ID),
			CreatedAt: begin}
		if err := store.CreateMerchant(s.ctx, m, k, s.audit()); err != nil {
			return err
		}
		s.known.merchants = append(s.known.merchants, m.ID)
		s.model.agree(m.ID, m.Settings)
	}
	return nil
}

func (s *Simulator) audit() machine.Audit {
	s.model.audits++
	return machine.Audit{ID: s.auditID(), At: s.now, Actor: "sim", Action: "merchant.set"}
}

func (s *Simulator) auditID() string { return "aud_" + s.stem() + "00" }

// stem makes a fresh id without its book, by the time of the story.
func (s *Simulator) stem() string {
	s.ids++
	return stem(s.now, s.ids)
}

// once is true once in n times, as the seed wills.
func (s *Simulator) once(n int) bool { return s.random.IntN(n) == 0 }

// tick lets time pass, and clocks be wrong: a machine's clock may be set back, and two processes never
// quite agree. They stay within the margin of the sweeper, an hour.
func (s *Simulator) tick() {
	s.now += s.random.Int64N(second)
	switch {
	case s.once(20_000):
		s.now += 31 * day
	case s.once(1_500):
		s.now += s.random.Int64N(5 * day)
	case s.once(150):
		s.now += s.random.Int64N(hour)
	case s.once(1_500):
		s.now = max(s.now-s.random.Int64N(20*minute), s.latest-30*minute)
	}
	for _, p := range s.processes {
		if s.once(700) {
			p.skew = s.random.Int64N(20*minute) - 10*minute
		}
		p.clock.Set(s.now + p.skew)
		s.latest = max(s.latest, p.clock.Now())
	}
}

// revive gives a process that died its store again, now and then newly opened.
func (s *Simulator) revive(p *process) {
	for i, other := range s.processes {
		if p != other || s.cfg.Reopen == nil || !s.once(8) {
			continue
		}
		store, err := s.cfg.Reopen(i)
		if s.must("open the store again", err) {
			p.store = store
			s.tally.reopened++
		}
	}
}
