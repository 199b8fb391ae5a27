-- +goose Up
-- Text is compared byte by byte (collate "C"), as SQLite and Go do. Times are microseconds since
-- 1970-01-01 UTC, amounts are minor units. Every money table carries its partition column, book, which
-- stands last in its keys: the time-ordered id leads, so that inserts append.

create table installation (
  one              smallint primary key check (one = 1),
  environment      text   not null check (environment in ('sandbox', 'production')),
  master_check     text   not null,
  vault_generation bigint not null,
  rebinds          bigint not null default 0, -- grows whenever a customer gets another phone
  created_at       bigint not null
);

create table vault_keys (
  id         text collate "C" primary key,
  wrapped    bytea  not null,
  state      text   not null check (state in ('active', 'retiring')),
  created_at bigint not null
);

create table merchants (
  id             text collate "C" primary key,
  name           text    not null,
  hold_micros    bigint  not null check (hold_micros > 0),
  reject_repeats boolean not null,
  created_at     bigint  not null
);

create table api_keys (
  id          text collate "C" primary key,
  merchant_id text collate "C" not null references merchants (id),
  hash        bytea  not null unique,
  created_at  bigint not null,
  revoked_at  bigint not null default 0
);
create index api_keys_merchant on api_keys (merchant_id, id);

create table customers (
  id           text collate "C" primary key,
  key_id       text collate "C" not null,
  iin_index    text collate "C" not null unique,
  phone_index  text collate "C" not null unique,
  iin_sealed   bytea  not null,
  phone_sealed bytea  not null,
  created_at   bigint not null
);
create index customers_key on customers (key_id, id);

-- A wallet is the customer's account in one currency: one row carries what always changes together.
create table wallets (
  id                    text collate "C" not null,
  book                  smallint not null,
  customer_id           text collate "C" not null,
  currency              text collate "C" not null,
  condition             text   not null check (condition in ('active', 'blocked')),
  limit_per_transaction bigint not null,
  limit_per_day         bigint not null,
  spent_day             bigint not null,
  spent_amount          bigint not null,
  debits_pending        bigint not null,
  debits_posted         bigint not null,
  credits_pending       bigint not null,
  credits_posted        bigint not null,
  version               bigint not null,
  sequence              bigint not null,
  last_object           text collate "C" not null,
  last_sequence         bigint not null,
  created_at            bigint not null,
  primary key (id, book),
  unique (customer_id, currency, book),
  -- None of these is ever negative, nor is what is available. (One expression, because each is built anew
  -- for every statement.)
  check (least(limit_per_transaction, limit_per_day, spent_amount, debits_pending, debits_posted,
    credits_pending, credits_posted, credits_posted - debits_posted - debits_pending) >= 0)
) with (fillfactor = 50);

-- One stripe per account and range of books: an uncapped account is never locked to decide. A hold and
-- its release may fall into stripes of two processes, so what is pending may be below zero in one stripe;
-- the sum over the stripes of an account never is.
create table stripes (
  account         text collate "C" not null,
  book            smallint not null,
  currency        text collate "C" not null,
  debits_pending  bigint not null,
  debits_posted   bigint not null check (debits_posted >= 0),
  credits_pending bigint not null,
  credits_posted  bigint not null check (credits_posted >= 0),
  version         bigint not null,
  primary key (account, book)
) with (fillfactor = 50);

create table wallet_transactions (
  id              text collate "C" not null,
  book            smallint not null,
  merchant_id     text collate "C" not null,
  wallet_id       text collate "C" not null,
  currency        text collate "C" not null,
  order_reference text collate "C" not null,
  amount          bigint not null check (amount > 0),
  status          text   not null check (status in ('NEW', 'PROCESSING', 'SUCCESS', 'FAILED')),
  failure         text   not null,
  authorized      bigint not null,
  captured        bigint not null,
  canceled        bigint not null,
  expired         bigint not null,
  refunded        bigint not null,
  sequence        bigint not null,
  created_at      bigint not null,
  updated_at      bigint not null,
  expires_at      bigint not null,
  primary key (id, book),
  check (least(authorized, captured, canceled, expired, refunded, captured - refunded,
    authorized - captured - canceled - expired) >= 0)
) with (fillfactor = 90);
create index wallet_transactions_merchant on wallet_transactions (merchant_id, id, book);
create index wallet_transactions_reference
  on wallet_transactions (merchant_id, order_reference, id, book);
create index wallet_transactions_due on wallet_transactions (expires_at, id, book)
  where authorized - captured - canceled - expired > 0;

-- One row is one change: the operation, its posting with the running balances it left, and the event
-- with its object as it then was.
create table journal (
  object_id       text collate "C" not null,
  sequence        bigint   not null,
  book            smallint not null,
  type            text     not null,
  merchant_id     text collate "C" not null,
  wallet_id       text collate "C" not null,
  at              bigint   not null,
  amount          bigint   not null check (amount > 0),
  currency        text collate "C" not null,
  move            text     not null check (move in ('', 'hold', 'settle', 'release', 'post')),
  debit           text collate "C" not null,
  credit          text collate "C" not null,
  debit_version   bigint   not null,
  debit_pending   bigint   not null,
  debit_posted    bigint   not null,
  credit_version  bigint   not null,
  credit_pending  bigint   not null,
  credit_posted   bigint   not null,
  stripe_book     smallint not null,
  state           text     not null,
  authorized      bigint   not null,
  captured        bigint   not null,
  canceled        bigint   not null,
  expired         bigint   not null,
  refunded        bigint   not null,
  request_id      text     not null,
  api_key_id      text     not null,
  idempotency_key text     not null,
  previous_object text collate "C" not null,
  previous_sequence bigint not null,
  primary key (object_id, sequence, book)
);

create table idempotency (
  scope       text collate "C" not null,
  key         text collate "C" not null,
  book        smallint not null,
  fingerprint bytea    not null,
  status      smallint not null,
  body        bytea    not null,
  request_id  text     not null,
  created_at  bigint   not null,
  primary key (scope, key, book)
);
create index idempotency_age on idempotency using brin (created_at);

-- References of top-ups, withdrawals and adjustments: one effect for ever, so these are never swept.
create table fund_references (
  name       text collate "C" not null,
  book       smallint not null,
  direction  text     not null,
  wallet_id  text collate "C" not null,
  amount     bigint   not null,
  status     smallint not null,
  body       bytea    not null,
  created_at bigint   not null,
  primary key (name, book)
);

-- Order references of merchants that reject repeats: the unique key decides between processes.
create table order_reference_claims (
  merchant_id text collate "C" not null,
  reference   text collate "C" not null,
  book        smallint not null,
  primary key (merchant_id, reference, book)
);

create table audits (
  id     text collate "C" primary key,
  at     bigint not null,
  actor  text   not null,
  action text   not null,
  object text   not null,
  before text   not null,
  after  text   not null,
  reason text   not null
);

-- The rows of a batch arrive as one array per table, in these types (half the cost of an array per
-- column). They are types of their own, not the tables', so that a release that adds a column to a table
-- does not break the processes of the release before it.

create type batch_customer as (
  id           text collate "C",
  key_id       text collate "C",
  iin_index    text collate "C",
  phone_index  text collate "C",
  iin_sealed   bytea,
  phone_sealed bytea,
  created_at   bigint
);

create type batch_wallet as (
  id                    text collate "C",
  book                  smallint,
  customer_id           text collate "C",
  currency              text collate "C",
  condition             text collate "C",
  limit_per_transaction bigint,
  limit_per_day         bigint,
  spent_day             bigint,
  spent_amount          bigint,
  debits_pending        bigint,
  debits_posted         bigint,
  credits_pending       bigint,
  credits_posted        bigint,
  version               bigint,
  sequence              bigint,
  last_object           text collate "C",
  last_sequence         bigint,
  created_at            bigint
);

create type batch_transaction as (
  id              text collate "C",
  book            smallint,
  merchant_id     text collate "C",
  wallet_id       text collate "C",
  currency        text collate "C",
  order_reference text collate "C",
  amount          bigint,
  status          text collate "C",
  failure         text collate "C",
  authorized      bigint,
  captured        bigint,
  canceled        bigint,
  expired         bigint,
  refunded        bigint,
  sequence        bigint,
  created_at      bigint,
  updated_at      bigint,
  expires_at      bigint
);

create type batch_reference as (
  name       text collate "C",
  book       smallint,
  direction  text collate "C",
  wallet_id  text collate "C",
  amount     bigint,
  status     smallint,
  body       bytea,
  created_at bigint
);

create type batch_reply as (
  scope       text collate "C",
  key         text collate "C",
  book        smallint,
  fingerprint bytea,
  status      smallint,
  body        bytea,
  request_id  text collate "C",
  created_at  bigint
);

create type batch_audit as (
  id     text collate "C",
  at     bigint,
  actor  text collate "C",
  action text collate "C",
  object text collate "C",
  before text collate "C",
  after  text collate "C",
  reason text collate "C"
);

create type batch_stripe as (
  account         text collate "C",
  book            smallint,
  currency        text collate "C",
  debits_pending  bigint,
  debits_posted   bigint,
  credits_pending bigint,
  credits_posted  bigint,
  version         bigint
);

-- side says which account of the entry is the stripe: 0 none, 1 debit, 2 credit. The balances of
-- that side say how much of the batch comes after the record.
create type batch_record as (
  side              smallint,
  object_id         text collate "C",
  sequence          bigint,
  book              smallint,
  type              text collate "C",
  merchant_id       text collate "C",
  wallet_id         text collate "C",
  at                bigint,
  amount            bigint,
  currency          text collate "C",
  move              text collate "C",
  debit             text collate "C",
  credit            text collate "C",
  debit_version     bigint,
  debit_pending     bigint,
  debit_posted      bigint,
  credit_version    bigint,
  credit_pending    bigint,
  credit_posted     bigint,
  stripe_book       smallint,
  state             text collate "C",
  authorized        bigint,
  captured          bigint,
  canceled          bigint,
  expired           bigint,
  refunded          bigint,
  request_id        text collate "C",
  api_key_id        text collate "C",
  idempotency_key   text collate "C",
  previous_object   text collate "C",
  previous_sequence bigint
);
