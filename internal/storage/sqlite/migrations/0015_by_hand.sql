-- +goose Up
-- Operations that a person settled because the acquirer would not say; and, for whoever looks for what does not
-- fit, those of which an answer was not believed.
alter table payment_operations add column by_hand integer not null default 0;
create index payment_operations_contradicted on payment_operations (updated_at, id, book)
  where contradictions > 0;

-- When the pretend bank was done with an account for good, in microseconds; 0 while something may still come.
alter table sandbox_bank add column over_at integer not null default 0;
create index sandbox_bank_over on sandbox_bank (over_at, id) where over_at > 0;
