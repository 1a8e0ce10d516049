-- Trusted time is copied to every volume: a rebuild after the catalogue was lost goes on from it.

-- Which counting of trusted time this is, 32 hex digits: instants of two timelines do not compare.
-- Null: not named yet.
ALTER TABLE trusted_time ADD COLUMN timeline TEXT CHECK (length(timeline) = 32);

-- Each time trusted time went forward at once: the slots on disk keep the stamps of before.
CREATE TABLE time_advance (
  advance_id        INTEGER PRIMARY KEY AUTOINCREMENT,
  at                INTEGER NOT NULL,           -- trusted time just before
  since_at          INTEGER NOT NULL,           -- what was recorded since then, by trusted time, moved along
  by_ms             INTEGER NOT NULL CHECK (by_ms > 0),
  UNIQUE (at, since_at, by_ms)
) STRICT;
