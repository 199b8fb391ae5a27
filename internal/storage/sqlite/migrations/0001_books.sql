-- +goose Up
-- Text is compared byte by byte (binary), as PostgreSQL's C collation and Go do. Times are microseconds since
-- 1970-01-01 UTC, amounts are minor units. Every money table carries its partition column, book, which
-- stands last in its keys: the time-ordered id leads, so that inserts append. A check of more than two
-- words is written with "or": for "in" SQLite would build a table of the words with every statement.

create table installation (
  one              integer primary key check (one = 1),
  environment      text   not null check (environment in ('sandbox', 'production')),
  master_check     text   not null,
  vault_generation integer not null,
  created_at       integer not null
) strict;

create table vault_keys (
  id         text primary key,
  wrapped    blob  not null,
  state      text   not null check (state in ('active', 'retiring')),
  created_at integer not null
) strict, without rowid;

create table merchants (
  id             text primary key,
  name           text    not null,
  hold_micros    integer  not null check (hold_micros > 0),
  reject_repeats integer not null,
  created_at     integer  not null
) strict, without rowid;

create table api_keys (
  id          text primary key,
  merchant_id text not null references merchants (id),
  hash        blob  not null unique,
  created_at  integer not null,
  revoked_at  integer not null default 0
) strict, without rowid;
create index api_keys_merchant on api_keys (merchant_id, id);

create table customers (
  id           text primary key,
  key_id       text not null,
  iin_index    text not null unique,
  phone_index  text not null unique,
  iin_sealed   blob  not null,
  phone_sealed blob  not null,
  created_at   integer not null
) strict, without rowid;
create index customers_key on customers (key_id, id);

-- A wallet is the customer's account in one currency: one row carries what always changes together. Busy
-- wallets lie on pages of their own, and a page is what a commit writes: so its newest state is appended to
-- wallet_states, beside those of the other wallets of the batch, and folded into wallet_rows later, in order
-- of id. The newest state of a wallet, where there is one, is the wallet; the view wallets says so.
create table wallet_rows (
  id                    text not null,
  book                  integer not null,
  customer_id           text not null,
  currency              text not null,
  condition             text   not null check (condition in ('active', 'blocked')),
  limit_per_transaction integer not null check (limit_per_transaction >= 0),
  limit_per_day         integer not null check (limit_per_day >= 0),
  spent_day             integer not null,
  spent_amount          integer not null check (spent_amount >= 0),
  debits_pending        integer not null check (debits_pending >= 0),
  debits_posted         integer not null check (debits_posted >= 0),
  credits_pending       integer not null check (credits_pending >= 0),
  credits_posted        integer not null check (credits_posted >= 0),
  version               integer not null,
  sequence              integer not null,
  last_object           text not null,
  last_sequence         integer not null,
  created_at            integer not null,
  primary key (id, book),
  unique (customer_id, currency, book),
  check (credits_posted - debits_posted - debits_pending >= 0)
) strict, without rowid;

-- The newest row is never deleted, so a row number never comes again.
create table wallet_states (
  row                   integer primary key,
  wallet_id             text not null,
  book                  integer not null,
  condition             text   not null check (condition = 'active' or condition = 'blocked'),
  limit_per_transaction integer not null check (limit_per_transaction >= 0),
  limit_per_day         integer not null check (limit_per_day >= 0),
  spent_day             integer not null,
  spent_amount          integer not null check (spent_amount >= 0),
  debits_pending        integer not null check (debits_pending >= 0),
  debits_posted         integer not null check (debits_posted >= 0),
  credits_pending       integer not null check (credits_pending >= 0),
  credits_posted        integer not null check (credits_posted >= 0),
  version               integer not null,
  sequence              integer not null,
  last_object           text not null,
  last_sequence         integer not null,
  check (credits_posted - debits_posted - debits_pending >= 0)
) strict;

-- With max(row) the other columns are those of the same row: SQLite promises that.
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
  w.created_at
from wallet_rows w left join newest n on n.wallet_id = w.id;

-- One stripe per account and range of books: an uncapped account is never locked to decide. A hold and
-- its release may fall into stripes of two processes, so what is pending may be below zero in one stripe;
-- the sum over the stripes of an account never is.
create table stripes (
  account         text not null,
  book            integer not null,
  currency        text not null,
  debits_pending  integer not null,
  debits_posted   integer not null check (debits_posted >= 0),
  credits_pending integer not null,
  credits_posted  integer not null check (credits_posted >= 0),
  version         integer not null,
  primary key (account, book)
) strict, without rowid;

create table wallet_transactions (
  id              text not null,
  book            integer not null,
  merchant_id     text not null,
  wallet_id       text not null,
  currency        text not null,
  order_reference text not null,
  amount          integer not null check (amount > 0),
  status          text   not null check
    (status = 'SUCCESS' or status = 'FAILED' or status = 'NEW' or status = 'PROCESSING'),
  failure         text   not null,
  authorized      integer not null check (authorized >= 0),
  captured        integer not null check (captured >= 0),
  canceled        integer not null check (canceled >= 0),
  expired         integer not null check (expired >= 0),
  refunded        integer not null check (refunded >= 0 and refunded <= captured),
  sequence        integer not null,
  created_at      integer not null,
  updated_at      integer not null,
  expires_at      integer not null,
  primary key (id, book),
  check (captured + canceled + expired <= authorized)
) strict, without rowid;
create index wallet_transactions_merchant on wallet_transactions (merchant_id, id, book);
create index wallet_transactions_reference
  on wallet_transactions (merchant_id, order_reference, id, book);
create index wallet_transactions_due on wallet_transactions (expires_at, id, book)
  where authorized - captured - canceled - expired > 0;

-- One row is one change: the operation, its posting with the running balances it left, and the event
-- with its object as it then was.
create table journal (
  object_id       text not null,
  sequence        integer   not null,
  book            integer not null,
  type            text     not null,
  merchant_id     text not null,
  wallet_id       text not null,
  at              integer   not null,
  amount          integer   not null check (amount > 0),
  currency        text not null,
  move            text     not null check
    (move = 'hold' or move = 'settle' or move = 'release' or move = 'post' or move = ''),
  debit           text not null,
  credit          text not null,
  debit_version   integer   not null,
  debit_pending   integer   not null,
  debit_posted    integer   not null,
  credit_version  integer   not null,
  credit_pending  integer   not null,
  credit_posted   integer   not null,
  stripe_book     integer not null,
  state           text     not null,
  authorized      integer   not null,
  captured        integer   not null,
  canceled        integer   not null,
  expired         integer   not null,
  refunded        integer   not null,
  request_id      text     not null,
  api_key_id      text     not null,
  idempotency_key text     not null,
  previous_object text not null,
  previous_sequence integer not null,
  primary key (object_id, sequence, book)
) strict;

-- Client keys are random, so they are kept out of a growing tree: rows are appended, and found by hash
-- through memory (the open run) or through a sealed run, whose index was written once, sorted. The newest
-- row is never deleted, so a row number never comes again.
create table idempotency (
  row         integer primary key,
  scope       text    not null,
  key         text    not null,
  book        integer not null,
  fingerprint blob    not null,
  status      integer not null,
  body        blob    not null,
  request_id  text    not null,
  created_at  integer not null
) strict;

create table idempotency_runs (
  run       integer primary key,
  last_row  integer not null, -- rows up to this one are in this run or an earlier one
  filter    blob    not null  -- says for sure that a hash is not in the run
) strict;

create table idempotency_hashes (
  run  integer not null,
  hash integer not null,
  row  integer not null,
  primary key (run, hash, row)
) strict, without rowid;

-- References of top-ups, withdrawals and adjustments: one effect for ever, so these are never swept.
create table fund_references (
  name       text not null,
  book       integer not null,
  direction  text     not null,
  wallet_id  text not null,
  amount     integer   not null,
  status     integer not null,
  body       blob    not null,
  created_at integer   not null,
  primary key (name, book)
) strict, without rowid;

-- Order references of merchants that reject repeats: the unique key decides between processes.
create table order_reference_claims (
  merchant_id text not null,
  reference   text not null,
  book        integer not null,
  primary key (merchant_id, reference, book)
) strict, without rowid;

create table audits (
  id     text primary key,
  at     integer not null,
  actor  text   not null,
  action text   not null,
  object text   not null,
  before text   not null,
  after  text   not null,
  reason text   not null
) strict, without rowid;
