-- +goose Up
-- What merchants hear of. The number of an event is given after the commit of its record, never in the write
-- path: see Store.Number.

create table event_counters (
  merchant_id text primary key,
  number      integer not null
) strict, without rowid;

create table events (
  merchant_id text not null,
  number      integer not null,
  object_id   text not null,
  sequence    integer not null,
  primary key (merchant_id, number),
  unique (object_id, sequence)
) strict, without rowid;

create table event_progress (
  one      integer primary key check (one = 1),
  position integer not null -- row number in the journal of the last record that was numbered
) strict;
insert into event_progress values (1, 0);

create table webhook_endpoints (
  id             text primary key,
  merchant_id    text not null references merchants (id),
  url            text    not null,
  event_types    text    not null, -- names with spaces between; '' is all
  ordered        integer not null,
  state          text    not null check (state in ('enabled', 'disabled')),
  why            text    not null,
  secret         integer  not null, -- version; secrets themselves are derived and not kept
  previous_until integer  not null,
  created_at     integer  not null,
  updated_at     integer  not null,
  failing_since  integer  not null default 0,
  owner          text    not null default '', -- the server that delivers to it, by the machine's clock
  owned_until    integer  not null default 0
) strict, without rowid;
create index webhook_endpoints_merchant on webhook_endpoints (merchant_id, id);
create index webhook_endpoints_owner on webhook_endpoints (owner, id);

-- Ids sort by endpoint and number.
create table deliveries (
  id           text primary key,
  endpoint_id  text not null,
  merchant_id  text not null,
  number       integer not null,
  object_id    text not null,
  sequence     integer not null,
  name         text    not null,
  state        text    not null check (state in ('waiting', 'delivered', 'dead')),
  attempts     integer not null,
  base         integer not null,
  due_at       integer not null,
  replay       integer not null,
  out_of_order integer not null,
  body         blob not null,
  created_at   integer not null,
  updated_at   integer not null
) strict, without rowid;
create index deliveries_due on deliveries (endpoint_id, due_at, id) where state = 'waiting';
create index deliveries_dead on deliveries (endpoint_id, id) where state = 'dead';
create index deliveries_object on deliveries (object_id, sequence, endpoint_id);
create index deliveries_age on deliveries (updated_at) where state <> 'waiting';

create table delivery_attempts (
  delivery_id text not null,
  number      integer not null,
  at          integer not null,
  micros      integer not null,
  status      integer not null,
  error       text    not null,
  response    blob not null,
  primary key (delivery_id, number)
) strict, without rowid;
