-- +goose Up
-- What the pretend bank of a sandbox remembers, so that it tells the truth after a restart: an authorization
-- or a payout with all that was done to it. In production it stays empty.
create table sandbox_bank (
  id      text   collate "C" primary key, -- operation id of what began it
  version bigint not null,                -- how often it was written
  body    bytea  not null                 -- JSON; no card number is in it
);
