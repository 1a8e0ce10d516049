-- Which catalogue stands behind which volume, what the scrubber found, and what `custos rescue` took without asking.

-- One row a start of the recorder. The file custos-catalogue.json on each volume names the last start that used it:
-- a catalogue from a backup does not remember the starts that came after it.
CREATE TABLE catalogue_start (
  start_no          INTEGER PRIMARY KEY AUTOINCREMENT,
  start_id          TEXT NOT NULL UNIQUE CHECK (length(start_id) = 32), -- random
  started_at        INTEGER NOT NULL
) STRICT;
CREATE TABLE volume_mark (
  volume_uuid       TEXT PRIMARY KEY REFERENCES volume (uuid),
  start_no          INTEGER NOT NULL REFERENCES catalogue_start (start_no) -- what its file says, as far as this catalogue knows
) STRICT, WITHOUT ROWID;

-- Where the scrubber is: it goes once round from `first_slot`.
CREATE TABLE scrub_position (
  volume_uuid       TEXT PRIMARY KEY REFERENCES volume (uuid),
  first_slot        INTEGER NOT NULL CHECK (first_slot >= 0),
  done_slots        INTEGER NOT NULL CHECK (done_slots >= 0),
  pass_began_at     INTEGER NOT NULL,
  last_pass_at      INTEGER                     -- when the last full round ended; null before the first
) STRICT, WITHOUT ROWID;

-- Footage that no longer reads as it was sealed. Kept after its slot was used again.
CREATE TABLE scrub_finding (
  finding_id        INTEGER PRIMARY KEY,
  volume_uuid       TEXT NOT NULL REFERENCES volume (uuid),
  slot              INTEGER NOT NULL,
  generation        INTEGER NOT NULL,
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT NOT NULL,
  kind              TEXT NOT NULL CHECK (kind IN ('record', 'unreadable', 'header', 'index', 'frame', 'missing')),
  from_at           INTEGER NOT NULL,           -- first frame that is in doubt
  to_at             INTEGER NOT NULL,           -- half-open
  first_record      INTEGER,                    -- position in the segment; null where it is not one of the records
  records           INTEGER,
  found_at          INTEGER NOT NULL,
  cleared_at        INTEGER,                    -- read well again by a later look: a cable, not the medium
  FOREIGN KEY (volume_uuid, slot, generation) REFERENCES segment (volume_uuid, slot, generation),
  CHECK (to_at >= from_at)
) STRICT;
CREATE UNIQUE INDEX scrub_finding_once ON scrub_finding (volume_uuid, slot, generation, kind, from_at) WHERE cleared_at IS NULL;
CREATE INDEX scrub_finding_standing ON scrub_finding (finding_id) WHERE cleared_at IS NULL;

-- How much of each volume's rescue-log was taken in.
CREATE TABLE rescue_log (
  volume_uuid       TEXT PRIMARY KEY REFERENCES volume (uuid),
  taken_bytes       INTEGER NOT NULL CHECK (taken_bytes >= 0), -- whole lines
  taken_sha256      TEXT NOT NULL CHECK (length(taken_sha256) = 64) -- of those bytes
) STRICT, WITHOUT ROWID;
-- One row a rescue: the same line stands on every volume it was asked of.
CREATE TABLE rescue_entry (
  line_sha256       TEXT PRIMARY KEY CHECK (length(line_sha256) = 64),
  taken_at          INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX rescue_entry_taken ON rescue_entry (taken_at);
