-- Recorder and office have a log each. Times are whole UTC milliseconds since 1970, hashes SHA-256.

-- Of a log that began as a copy of another: which one, and how many entries both have in common.
ALTER TABLE audit_log ADD COLUMN parted_from TEXT CHECK (length(parted_from) = 16);
ALTER TABLE audit_log ADD COLUMN parted_size INTEGER
  CHECK ((parted_size IS NULL) = (parted_from IS NULL) AND coalesce(parted_size, 0) >= 0);

-- Heads of other logs that this one answers for, and of this log as it had them signed; oldest first.
CREATE TABLE audit_head (
  head_id           INTEGER PRIMARY KEY,
  origin            TEXT NOT NULL CHECK (origin LIKE 'custos/%'),
  size              INTEGER NOT NULL CHECK (size >= 0), -- entries covered
  root              BLOB NOT NULL CHECK (length(root) = 32),
  last_hash         BLOB NOT NULL CHECK (length(last_hash) = 32), -- of the last entry; zeros for none
  at                INTEGER NOT NULL,
  how               TEXT NOT NULL CHECK (how IN ('signed', 'told', 'accepted', 'asked')), -- signed here; only named to us; accepted by a person though it did not fit; asked: of this log, sent to be signed
  audit_seq         INTEGER,                    -- the entry that tells of it: of the first one of an origin, and of each accepted one
  CHECK (how <> 'accepted' OR audit_seq IS NOT NULL)
) STRICT;
CREATE TRIGGER audit_head_is_never_changed BEFORE UPDATE ON audit_head BEGIN SELECT RAISE(ABORT, 'a head is never changed'); END;
CREATE TRIGGER audit_head_is_never_deleted BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'a head is never deleted'); END;

-- The newest head that did not fit those before, until a person accepts it; no row while all fit.
CREATE TABLE audit_head_refused (
  only              INTEGER PRIMARY KEY CHECK (only = 1),
  origin            TEXT NOT NULL,
  size              INTEGER NOT NULL CHECK (size >= 0),
  root              BLOB NOT NULL CHECK (length(root) = 32),
  last_hash         BLOB NOT NULL CHECK (length(last_hash) = 32),
  since             INTEGER NOT NULL,           -- first refusal in a row
  audit_seq         INTEGER NOT NULL            -- the entry that tells of that one
) STRICT;
