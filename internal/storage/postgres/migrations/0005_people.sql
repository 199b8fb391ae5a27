-- +goose Up
-- What the pages for wallets' owners keep. Codes and tokens are digests only.

create table login_codes (
  hash        bytea   primary key, -- digest of the token in the browser that asked
  customer_id text   not null,
  phone       bytea   not null,    -- keyed digest
  shown       text   not null,    -- the phone, masked
  digits      bytea   not null,    -- keyed digest
  tries       bigint not null,
  used_at     bigint not null,
  created_at  bigint not null,
  expires_at  bigint not null
);
create index login_codes_expired on login_codes (expires_at);

-- How often something was asked for until a time; the name is a keyed digest of a phone or an address.
create table login_rates (
  name     text collate "C" not null,
  until_at bigint not null,
  n        bigint not null,
  primary key (name, until_at)
);
create index login_rates_past on login_rates (until_at);

create table log_ins (
  hash        bytea   primary key, -- digest of the token in the browser's cookie
  customer_id text   not null,
  phone       bytea   not null,    -- keyed digest
  created_at  bigint not null,
  seen_at     bigint not null
);
create index log_ins_age on log_ins (created_at);

create table languages (
  customer_id text collate "C" primary key,
  language    text not null check (language in ('kk', 'ru', 'en'))
);

-- What would have been sent from a sandbox.
create table messages (
  id         text collate "C" primary key,
  kind       text   not null,
  recipient  text   not null, -- masked
  language   text   not null,
  subject    text   not null,
  body       text   not null,
  created_at bigint not null,
  sweep_at   bigint not null
);
create index messages_sweep on messages (sweep_at);

-- Of which waiting transactions the owner was told, or how often that was tried.
create table tellings (
  transaction_id text collate "C" primary key,
  tries          bigint not null,
  next_at        bigint not null,
  told_at        bigint not null
);
create index tellings_next on tellings (next_at);
