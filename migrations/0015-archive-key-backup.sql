-- Other places that still hold the archive's key file, as people told them: each destruction record names them (R24). Times are UTC milliseconds by the wall clock.

CREATE TABLE archive_key_backup (
  place     TEXT NOT NULL CHECK (length(place) BETWEEN 1 AND 200), -- where it is kept
  until     INTEGER NOT NULL,                  -- first instant at which it is overwritten or destroyed
  told_by   TEXT NOT NULL,
  told_at   INTEGER NOT NULL,
  told_seq  INTEGER PRIMARY KEY REFERENCES audit_entry (seq),
  CHECK (until > told_at)
) STRICT;
