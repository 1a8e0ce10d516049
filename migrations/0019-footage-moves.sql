-- Trusted time went forward at once, and what was recorded since moves with it: a few thousand segments at a
-- time, so that recording does not wait. A row stands here until all of them have moved, oldest row first.
CREATE TABLE footage_move (
  move_id           INTEGER PRIMARY KEY AUTOINCREMENT,
  since_at          INTEGER NOT NULL,           -- what was recorded since then, by trusted time
  by_ms             INTEGER NOT NULL CHECK (by_ms > 0),
  last_segment      INTEGER NOT NULL,           -- later ones were begun afterwards
  done_segment      INTEGER NOT NULL DEFAULT 0, -- up to this one all have moved
  unsealed          TEXT NOT NULL CHECK (json_valid(unsealed)) -- segment_id of those that moved before they were sealed
) STRICT;
