-- Copies on their way: from the asking to the release, or to the archive. Columns `..._at` are wall time, UTC milliseconds. What was done stands in the audit log; these rows say how far it came.

CREATE TABLE copy_job (
  copy_id           TEXT PRIMARY KEY CHECK (length(copy_id) = 32), -- names its folder; 32 hex digits
  package_id        TEXT NOT NULL UNIQUE,       -- 115-調-0001-1: application and running number
  application       TEXT NOT NULL,              -- number of the case; of an own decision its own number, 115-存-0001
  count             INTEGER NOT NULL CHECK (count > 0), -- which package of this application
  intent            TEXT NOT NULL CHECK (intent IN ('release', 'preserve', 'decision')), -- to be handed over; kept by an approved 申請保存; kept by the office's own decision
  target_kind       TEXT NOT NULL CHECK (target_kind IN ('here', 'folder', 'zip', 'medium')),
  target_path       TEXT,                       -- folder in which the package is put; null for 'here'
  reason            TEXT NOT NULL,              -- why it is made, or kept
  asked_by          TEXT NOT NULL,              -- person key
  asked_name        TEXT NOT NULL,
  asked_role        TEXT NOT NULL,
  asked_at          INTEGER NOT NULL,
  asked_seq         INTEGER NOT NULL REFERENCES audit_entry (seq), -- copy.asked, which holds the scope
  state             TEXT NOT NULL CHECK (state IN ('queued', 'reading', 'packing', 'ready', 'releasing', 'released', 'kept', 'failed', 'cancelled')),
  done_bytes        INTEGER NOT NULL DEFAULT 0 CHECK (done_bytes >= 0), -- of footage, in this stage
  total_bytes       INTEGER CHECK (total_bytes >= 0), -- as far as it is known
  error_code        TEXT,                       -- of the last try that failed
  error_text        TEXT,
  witness_by        TEXT,                       -- person key of who releases it
  witness_name      TEXT,
  witness_role      TEXT,
  handed_to         TEXT,                       -- SHA-256 of the recipient and the witness as they stand in the package that was sealed, hex
  manifest_sha256   TEXT CHECK (length(manifest_sha256) = 64),
  archive_item      TEXT,                       -- item of the archive that holds the Master
  ended_at          INTEGER,
  is_published      INTEGER NOT NULL DEFAULT 0 CHECK (is_published IN (0, 1)), -- stands under its name at the target
  CHECK ((target_kind = 'here') = (target_path IS NULL)),
  CHECK ((state IN ('released', 'kept', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
  CHECK (state <> 'failed' OR error_code IS NOT NULL),
  CHECK (state NOT IN ('released', 'kept') OR (manifest_sha256 IS NOT NULL AND witness_by IS NOT NULL AND witness_by <> asked_by)),
  UNIQUE (application, count)
) STRICT;
CREATE INDEX copy_job_waiting ON copy_job (asked_at) WHERE ended_at IS NULL;
CREATE TRIGGER copy_job_stays BEFORE DELETE ON copy_job BEGIN SELECT RAISE(ABORT, 'a copy ends, its row stays'); END;
CREATE TRIGGER copy_job_ends_once BEFORE UPDATE OF state ON copy_job WHEN OLD.ended_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'a copy that ended does not go on'); END;
