-- +goose Up
-- Nothing here: PostgreSQL gives the versions of a wallet room, SQLite keeps them in wallet_states.
select 1;
