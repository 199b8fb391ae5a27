-- +goose Up
-- Wallets whose owners approve. How long an owner may take is the merchant's to say: ten minutes at first.
alter table merchants add column approval_micros integer not null default 600000000
  check (approval_micros > 0);

-- The smallest amount that the owner must approve; 0 is none. It seldom changes and is the same in every state
-- of the wallet, so it stays in the wallet's row: no state that is appended grows by it.
alter table wallet_rows add column approve_from integer not null default 0 check (approve_from >= 0);

drop view wallets;
create view wallets as
with newest as (select *, max(row) from wallet_states group by wallet_id)
select
  w.id, w.book, w.customer_id, w.currency,
  iif(n.row is null, w.condition, n.condition) as condition,
  iif(n.row is null, w.limit_per_transaction, n.limit_per_transaction) as limit_per_transaction,
  iif(n.row is null, w.limit_per_day, n.limit_per_day) as limit_per_day,
  iif(n.row is null, w.spent_day, n.spent_day) as spent_day,
  iif(n.row is null, w.spent_amount, n.spent_amount) as spent_amount,
  iif(n.row is null, w.debits_pending, n.debits_pending) as debits_pending,
  iif(n.row is null, w.debits_posted, n.debits_posted) as debits_posted,
  iif(n.row is null, w.credits_pending, n.credits_pending) as credits_pending,
  iif(n.row is null, w.credits_posted, n.credits_posted) as credits_posted,
  iif(n.row is null, w.version, n.version) as version,
  iif(n.row is null, w.sequence, n.sequence) as sequence,
  iif(n.row is null, w.last_object, n.last_object) as last_object,
  iif(n.row is null, w.last_sequence, n.last_sequence) as last_sequence,
  w.created_at, w.approve_from
from wallet_rows w left join newest n on n.wallet_id = w.id;

-- What is not decided, and nothing else, has a time and nothing authorized. A transaction that its wallet
-- decides is in neither index, and two numbers tell that sooner than the words of its status.
create index wallet_transactions_undecided on wallet_transactions (expires_at, id, book)
  where authorized = 0 and expires_at > 0;
create index wallet_transactions_waiting on wallet_transactions (wallet_id, id, book)
  where authorized = 0 and expires_at > 0;
