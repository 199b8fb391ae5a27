-- +goose Up
-- What merchants hear of. The number of an event is given after the commit of its record, never in the write
-- path: see Store.Number.

create table event_counters (
  merchant_id text collate "C" primary key,
  number      bigint not null
);

create table events (
  merchant_id text collate "C" not null,
  number      bigint not null,
  object_id   text collate "C" not null,
  sequence    bigint not null,
  primary key (merchant_id, number),
  unique (object_id, sequence)
);

-- Which transaction wrote a record tells whether it could be seen when events were numbered last. Records that
-- were there before this migration count as new; 3 is the lowest id of a transaction.
alter table journal add column xid xid8 not null default '3';
alter table journal alter column xid set default pg_current_xact_id();
create index journal_xid on journal (xid);

create table event_progress (
  one      smallint primary key check (one = 1),
  snapshot text not null -- of the last numbering
);
insert into event_progress values (1, '1:1:');

create table webhook_endpoints (
  id             text collate "C" primary key,
  merchant_id    text collate "C" not null references merchants (id),
  url            text    not null,
  event_types    text    not null, -- names with spaces between; '' is all
  ordered        boolean not null,
  state          text    not null check (state in ('enabled', 'disabled')),
  why            text    not null,
  secret         bigint  not null, -- version; secrets themselves are derived and not kept
  previous_until bigint  not null,
  created_at     bigint  not null,
  updated_at     bigint  not null,
  failing_since  bigint  not null default 0,
  owner          text collate "C" not null default '', -- the server that delivers to it, by the machine's clock
  owned_until    bigint  not null default 0
);
create index webhook_endpoints_merchant on webhook_endpoints (merchant_id, id);
create index webhook_endpoints_owner on webhook_endpoints (owner, id);

-- Ids sort by endpoint and number.
create table deliveries (
  id           text collate "C" primary key,
  endpoint_id  text collate "C" not null,
  merchant_id  text collate "C" not null,
  number       bigint not null,
  object_id    text collate "C" not null,
  sequence     bigint not null,
  name         text    not null,
  state        text    not null check (state in ('waiting', 'delivered', 'dead')),
  attempts     bigint not null,
  base         bigint not null,
  due_at       bigint not null,
  replay       boolean not null,
  out_of_order boolean not null,
  body         bytea not null,
  created_at   bigint not null,
  updated_at   bigint not null
);
create index deliveries_due on deliveries (endpoint_id, due_at, id) where state = 'waiting';
create index deliveries_dead on deliveries (endpoint_id, id) where state = 'dead';
create index deliveries_object on deliveries (object_id, sequence, endpoint_id);
create index deliveries_age on deliveries (updated_at) where state <> 'waiting';

create table delivery_attempts (
  delivery_id text collate "C" not null,
  number      bigint not null,
  at          bigint not null,
  micros      bigint not null,
  status      bigint not null,
  error       text    not null,
  response    bytea not null,
  primary key (delivery_id, number)
);
