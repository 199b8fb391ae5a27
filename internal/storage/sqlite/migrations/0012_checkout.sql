-- +goose Up
-- Whose pages may show the hosted page in a frame: origins with spaces between them; '' for nobody's.
alter table merchants add column frame_origins text not null default '';
