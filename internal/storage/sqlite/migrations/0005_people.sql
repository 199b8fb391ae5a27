-- +goose Up
-- What the pages for wallets' owners keep. Codes and tokens are digests only.

create table login_codes (
  hash        blob    primary key, -- digest of the token in the browser that asked
  customer_id text    not null,
  phone       blob    not null,    -- keyed digest
  shown       text    not null,    -- the phone, masked
  digits      blob    not null,    -- keyed digest
  tries       integer not null,
  used_at     integer not null,
  created_at  integer not null,
  expires_at  integer not null
) strict, without rowid;
create index login_codes_expired on login_codes (expires_at);

-- How often something was asked for until a time; the name is a keyed digest of a phone or an address.
create table login_rates (
  name     text    not null,
  until_at integer not null,
  n        integer not null,
  primary key (name, until_at)
) strict, without rowid;
create index login_rates_past on login_rates (until_at);

create table log_ins (
  hash        blob    primary key, -- digest of the token in the browser's cookie
  customer_id text    not null,
  phone       blob    not null,    -- keyed digest
  created_at  integer not null,
  seen_at     integer not null
) strict, without rowid;
create index log_ins_age on log_ins (created_at);

create table languages (
  customer_id text primary key,
  language    text not null check (language in ('kk', 'ru', 'en'))
) strict, without rowid;

-- What would have been sent from a sandbox.
create table messages (
  id         text    primary key,
  kind       text    not null,
  recipient  text    not null, -- masked
  language   text    not null,
  subject    text    not null,
  body       text    not null,
  created_at integer not null,
  sweep_at   integer not null
) strict, without rowid;
create index messages_sweep on messages (sweep_at);

-- Of which waiting transactions the owner was told, or how often that was tried.
create table tellings (
  transaction_id text    primary key,
  tries          integer not null,
  next_at        integer not null,
  told_at        integer not null
) strict, without rowid;
create index tellings_next on tellings (next_at);
