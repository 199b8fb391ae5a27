-- +goose Up
-- How a sandbox's time differs from the machines': one row, and in production it stays as it is here.
create table test_clock (
  one           integer primary key check (one = 1),
  version       integer not null, -- how often it was changed
  offset_micros integer not null, -- added to the machine's time while the clock runs
  frozen_at     integer not null  -- the moment at which it stands still, in microseconds; 0 while it runs
) strict;
insert into test_clock (one, version, offset_micros, frozen_at) values (1, 0, 0, 0);

-- The fault that a merchant of a sandbox has dialled, as in capture:lost_answer; '' for none.
alter table merchants add column fault text not null default '';
create index merchants_fault on merchants (id) where fault <> '';
