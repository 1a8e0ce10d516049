CREATE VIEW unrecorded AS
  SELECT camera_uuid, stream, start_at, end_at, cause, last_cause, noticed_at FROM gap
  UNION ALL
  SELECT camera_uuid, stream, started_at, ended_at, 'key-frames-only', 'key-frames-only', started_at FROM sacrifice_step WHERE mode = 'key-frames';

CREATE TRIGGER audit_checkpoint_is_never_changed BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'a checkpoint is never changed'); END;

CREATE TRIGGER audit_checkpoint_is_never_deleted BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'a checkpoint is never deleted'); END;

CREATE TRIGGER audit_entry_in_order BEFORE INSERT ON audit_entry WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit_entry)
  BEGIN SELECT RAISE(ABORT, 'audit entries are added at the end'); END;

CREATE TRIGGER audit_entry_is_never_changed BEFORE UPDATE ON audit_entry BEGIN SELECT RAISE(ABORT, 'an audit entry is never changed'); END;

CREATE TRIGGER audit_entry_is_never_deleted BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, 'an audit entry is never deleted'); END;

CREATE TRIGGER audit_head_is_never_changed BEFORE UPDATE ON audit_head BEGIN SELECT RAISE(ABORT, 'a head is never changed'); END;

CREATE TRIGGER audit_head_is_never_deleted BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'a head is never deleted'); END;

CREATE TRIGGER hold_stays BEFORE DELETE ON hold BEGIN SELECT RAISE(ABORT, 'a hold is ended, never deleted'); END;

CREATE TRIGGER sacrifice_step_stays BEFORE DELETE ON sacrifice_step BEGIN SELECT RAISE(ABORT, 'a step is ended, never deleted'); END;

CREATE TABLE audit_checkpoint (
  checkpoint_id     INTEGER PRIMARY KEY,
  size              INTEGER NOT NULL CHECK (size >= 0), -- entries covered
  root              BLOB NOT NULL CHECK (length(root) = 32),
  at                INTEGER NOT NULL,
  reason            TEXT NOT NULL CHECK (reason IN ('start', 'stop', 'day', 'entries')),
  day               TEXT CHECK (length(day) = 10), -- local day it stands for; only with reason 'day'
  key_fingerprint   TEXT,                       -- of audit_key; null: no key could be used
  body              TEXT NOT NULL,
  signature         BLOB,                       -- ECDSA P-256 with SHA-256 over body, DER
  CHECK ((reason = 'day') = (day IS NOT NULL)),
  CHECK ((key_fingerprint IS NULL) = (signature IS NULL))
) STRICT;

CREATE TABLE audit_entry (
  seq               INTEGER PRIMARY KEY CHECK (seq > 0), -- from 1 without a hole
  at                INTEGER NOT NULL,           -- by the wall clock
  trusted_at        INTEGER,                    -- by trusted time; null while that is unknown
  clock             TEXT NOT NULL,              -- what trusted time said of the wall clock then
  actor_kind        TEXT NOT NULL CHECK (actor_kind IN ('system', 'machine-user', 'account')),
  actor_name        TEXT NOT NULL,
  actor_role        TEXT,
  actor_source      TEXT,
  action            TEXT NOT NULL,
  object            TEXT,
  application       TEXT,
  result            TEXT NOT NULL CHECK (result IN ('done', 'refused', 'failed')),
  detail            TEXT NOT NULL,              -- canonical JSON
  prev_hash         BLOB NOT NULL CHECK (length(prev_hash) = 32), -- hash of entry seq - 1; zeros for the first
  hash              BLOB NOT NULL CHECK (length(hash) = 32) -- over 0x00 and the canonical JSON of all of the above: also the entry's leaf in the Merkle tree
) STRICT;

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

CREATE TABLE audit_head_refused (
  only              INTEGER PRIMARY KEY CHECK (only = 1),
  origin            TEXT NOT NULL,
  size              INTEGER NOT NULL CHECK (size >= 0),
  root              BLOB NOT NULL CHECK (length(root) = 32),
  last_hash         BLOB NOT NULL CHECK (length(last_hash) = 32),
  since             INTEGER NOT NULL,           -- first refusal in a row
  audit_seq         INTEGER NOT NULL            -- the entry that tells of that one
) STRICT;

CREATE TABLE audit_key (
  first_seq         INTEGER PRIMARY KEY,        -- the audit entry that tells of it
  fingerprint       TEXT NOT NULL CHECK (length(fingerprint) = 64), -- SHA-256 of the public key (SubjectPublicKeyInfo, DER)
  public_pem        TEXT NOT NULL,
  first_used_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_log (
  only              INTEGER PRIMARY KEY CHECK (only = 1),
  id                TEXT NOT NULL CHECK (length(id) = 16), -- hex, random
  written_at        INTEGER                     -- last time that writing was tried and went well
, parted_from TEXT CHECK (length(parted_from) = 16), parted_size INTEGER
  CHECK ((parted_size IS NULL) = (parted_from IS NULL) AND coalesce(parted_size, 0) >= 0)) STRICT;

CREATE TABLE audit_tile (
  level             INTEGER NOT NULL CHECK (level BETWEEN 1 AND 6),
  position          INTEGER NOT NULL CHECK (position >= 0), -- of the subtree among those of its level
  hash              BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_witness (
  checkpoint_id     INTEGER NOT NULL REFERENCES audit_checkpoint (checkpoint_id),
  how               TEXT NOT NULL CHECK (how IN ('syslog', 'command', 'print')),
  at                INTEGER NOT NULL,
  by_name           TEXT,                       -- who vouches for it; null when the recorder sent it by itself
  audit_seq         INTEGER NOT NULL,
  PRIMARY KEY (checkpoint_id, how)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE book_words USING fts5 (who, matter, application, uses, content = '', columnsize = 0, tokenize = 'ascii', prefix = '6');

CREATE TABLE 'book_words_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'book_words_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'book_words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TABLE camera (
  uuid              TEXT PRIMARY KEY CHECK (length(uuid) = 32),
  id                TEXT NOT NULL,              -- the name in the configuration while it was recorded
  first_recorded_at INTEGER NOT NULL,
  retired_at        INTEGER                     -- left the configuration; the id may come back as another camera
) STRICT;

CREATE TABLE camera_device (
  camera_uuid   TEXT NOT NULL REFERENCES camera (uuid),
  first_seen_at INTEGER NOT NULL,              -- start of the connection it was first heard on: from then on it stood there
  last_seen_at  INTEGER NOT NULL,              -- when it last answered
  maker         TEXT CHECK (length(maker) BETWEEN 1 AND 200),
  model         TEXT CHECK (length(model) BETWEEN 1 AND 200),
  firmware      TEXT CHECK (length(firmware) BETWEEN 1 AND 200),
  serial        TEXT CHECK (length(serial) BETWEEN 1 AND 200),
  PRIMARY KEY (camera_uuid, first_seen_at),
  CHECK (last_seen_at >= first_seen_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE camera_trait (
  camera_uuid   TEXT NOT NULL REFERENCES camera (uuid),
  -- ONVIF's token of the lens; SHA-256 of the certificate shown over HTTPS
  trait         TEXT NOT NULL CHECK (trait IN ('video-source', 'certificate')),
  value         TEXT NOT NULL CHECK (length(value) BETWEEN 1 AND 256),
  before        TEXT,                          -- the value that this one replaced; null for the first
  since_at      INTEGER NOT NULL,
  PRIMARY KEY (camera_uuid, trait)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalogue_start (
  start_no          INTEGER PRIMARY KEY AUTOINCREMENT,
  start_id          TEXT NOT NULL UNIQUE CHECK (length(start_id) = 32), -- random
  started_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE clock_sample (
  sample_id         INTEGER PRIMARY KEY AUTOINCREMENT,
  wall_at           INTEGER NOT NULL,
  trusted_at        INTEGER,                    -- null while unknown
  source            TEXT NOT NULL CHECK (source IN ('chrony', 'timesyncd', 'none')),
  is_synchronised   INTEGER CHECK (is_synchronised IN (0, 1)), -- null: nobody can tell
  reference_offset_us INTEGER                   -- wall clock minus time server; null when not told
) STRICT;

CREATE TABLE footage_move (
  move_id           INTEGER PRIMARY KEY AUTOINCREMENT,
  since_at          INTEGER NOT NULL,           -- what was recorded since then, by trusted time
  by_ms             INTEGER NOT NULL CHECK (by_ms > 0),
  last_segment      INTEGER NOT NULL,           -- later ones were begun afterwards
  done_segment      INTEGER NOT NULL DEFAULT 0, -- up to this one all have moved
  unsealed          TEXT NOT NULL CHECK (json_valid(unsealed)) -- segment_id of those that moved before they were sealed
) STRICT;

CREATE TABLE gap (
  gap_id            INTEGER PRIMARY KEY,
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT NOT NULL,
  start_at          INTEGER NOT NULL,           -- end of the last frame before it
  end_at            INTEGER,                    -- first frame after it; null while it lasts
  cause             TEXT NOT NULL,              -- why it began
  last_cause        TEXT NOT NULL,              -- why the newest try to end it failed
  noticed_at        INTEGER NOT NULL, after_run INTEGER NOT NULL DEFAULT 0, before_run INTEGER,
  CHECK (end_at IS NULL OR end_at >= start_at)
) STRICT;

CREATE TABLE hold (
  hold_id           TEXT PRIMARY KEY CHECK (length(hold_id) = 32),
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT,                       -- null: all streams of the camera
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  authority         TEXT NOT NULL,              -- on whose word: an order, a document, a pending application
  application       TEXT,                       -- its number, if there is one
  placed_by         TEXT NOT NULL,
  placed_at         INTEGER NOT NULL,
  ended_by          TEXT,
  ended_at          INTEGER,
  end_reason        TEXT,
  CHECK (to_at > from_at),
  CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE TABLE overwrite_record (
  day               TEXT NOT NULL CHECK (length(day) = 10), -- local, e.g. 2026-11-22
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  segments          INTEGER NOT NULL CHECK (segments > 0),
  from_at           INTEGER NOT NULL,           -- first frame erased
  to_at             INTEGER NOT NULL,           -- end of the last one
  bytes             INTEGER NOT NULL,
  merkle_root       TEXT NOT NULL CHECK (length(merkle_root) = 64), -- over the roots of the segments, in the order they were erased
  oldest_left_at    INTEGER,                    -- when the record was written
  written_at        INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL,
  PRIMARY KEY (day, camera_uuid)
) STRICT;

CREATE TABLE rescue_entry (
  line_sha256       TEXT PRIMARY KEY CHECK (length(line_sha256) = 64),
  taken_at          INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rescue_log (
  volume_uuid       TEXT PRIMARY KEY REFERENCES volume (uuid),
  taken_bytes       INTEGER NOT NULL CHECK (taken_bytes >= 0), -- whole lines
  taken_sha256      TEXT NOT NULL CHECK (length(taken_sha256) = 64) -- of those bytes
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  run_id            INTEGER PRIMARY KEY CHECK (run_id BETWEEN 1 AND 4294967295), -- stands in every record as 32 bits
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT NOT NULL,
  codec             TEXT NOT NULL CHECK (codec IN ('h264', 'h265')),
  width_px          INTEGER NOT NULL,
  height_px         INTEGER NOT NULL,
  start_at          INTEGER NOT NULL,
  end_at            INTEGER,                    -- null while it goes on
  end_reason        TEXT,
  CHECK ((end_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE TABLE sacrifice_step (
  step_id           INTEGER PRIMARY KEY,
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT NOT NULL,
  mode              TEXT NOT NULL CHECK (mode IN ('lower', 'key-frames', 'stopped')),
  reason            TEXT NOT NULL,              -- 'ring-would-stop', 'over-budget', 'ring-stops'; 'floor-fits-again' when it is one step back of several
  started_at        INTEGER NOT NULL,           -- when it was decided; the run that follows it begins within seconds
  full_bps          INTEGER,                    -- what the stream took when it was last recorded in full, so that after a restart the way back can be judged
  ended_at          INTEGER,                    -- null while it lasts
  end_reason        TEXT,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE TABLE schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;

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

CREATE TABLE scrub_position (
  volume_uuid       TEXT PRIMARY KEY REFERENCES volume (uuid),
  first_slot        INTEGER NOT NULL CHECK (first_slot >= 0),
  done_slots        INTEGER NOT NULL CHECK (done_slots >= 0),
  pass_began_at     INTEGER NOT NULL,
  last_pass_at      INTEGER                     -- when the last full round ended; null before the first
) STRICT, WITHOUT ROWID;

CREATE TABLE segment (
  segment_id        INTEGER PRIMARY KEY,
  volume_uuid       TEXT NOT NULL REFERENCES volume (uuid),
  slot              INTEGER NOT NULL,
  generation        INTEGER NOT NULL CHECK (generation > 0),
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT NOT NULL,
  start_at          INTEGER NOT NULL,           -- first frame
  floor_rule        TEXT NOT NULL,              -- the floor in force while recording, e.g. '31d Asia/Taipei'
  end_at            INTEGER,                    -- end of the newest frame; null until sealed
  keep_until        INTEGER,                    -- by floor_rule and end_at; null until sealed
  records           INTEGER CHECK (records >= 0),
  used_bytes        INTEGER CHECK (used_bytes >= 0),
  merkle_root       TEXT CHECK (length(merkle_root) = 64), -- over the SHA-256 of each record
  sealed_at         INTEGER,
  ended_at          INTEGER, newest_at INTEGER, hold_count INTEGER NOT NULL DEFAULT 0 CHECK (hold_count >= 0), is_quarantined INTEGER NOT NULL DEFAULT 0 CHECK (is_quarantined IN (0, 1)), freed_trusted_at INTEGER, freed_kept_until INTEGER, freed_floor_rule TEXT, freed_audit_seq INTEGER,                    -- the slot was given to the next generation
  UNIQUE (volume_uuid, slot, generation),
  CHECK ((sealed_at IS NULL) = (merkle_root IS NULL)),
  CHECK (sealed_at IS NULL OR (end_at IS NOT NULL AND keep_until IS NOT NULL AND records IS NOT NULL)),
  CHECK (end_at IS NULL OR end_at >= start_at)
) STRICT;

CREATE TABLE slot (
  volume_uuid       TEXT NOT NULL REFERENCES volume (uuid),
  slot              INTEGER NOT NULL CHECK (slot >= 0),
  generation        INTEGER NOT NULL CHECK (generation >= 0), -- 0: never used
  state             TEXT NOT NULL CHECK (state IN ('free', 'preparing', 'open', 'sealed', 'quarantined')),
  reason            TEXT,                       -- why quarantined
  PRIMARY KEY (volume_uuid, slot),
  CHECK ((state = 'quarantined') = (reason IS NOT NULL)),
  CHECK (generation > 0 OR state IN ('free', 'quarantined'))
) STRICT, WITHOUT ROWID;

CREATE TABLE time_advance (
  advance_id        INTEGER PRIMARY KEY AUTOINCREMENT,
  at                INTEGER NOT NULL,           -- trusted time just before
  since_at          INTEGER NOT NULL,           -- what was recorded since then, by trusted time, moved along
  by_ms             INTEGER NOT NULL CHECK (by_ms > 0),
  UNIQUE (at, since_at, by_ms)
) STRICT;

CREATE TABLE time_confirmation (
  confirmation_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name              TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  reason            TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  login             TEXT NOT NULL,              -- who the machine takes them for, e.g. 'uid=0 loginuid=1000 sudo=alice'
  wall_at           INTEGER NOT NULL,           -- what they confirmed
  mono_ms           INTEGER NOT NULL,           -- running time then: the wall clock must not have been set since
  boot_id           TEXT NOT NULL,
  outcome           TEXT CHECK (outcome IN ('counted', 'refused')), -- null until decided
  why               TEXT,                       -- of the refusal, or what was counted
  decided_at        INTEGER,
  CHECK ((outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (why IS NULL))
) STRICT;

CREATE TABLE trusted_time (
  id                INTEGER PRIMARY KEY CHECK (id = 1),
  trusted_at        INTEGER NOT NULL,           -- trusted time
  mono_ms           INTEGER NOT NULL,           -- running time of the same boot at that instant
  boot_id           TEXT NOT NULL,              -- the kernel's name of that boot
  wall_at           INTEGER NOT NULL,           -- wall clock at that instant
  is_known          INTEGER NOT NULL CHECK (is_known IN (0, 1)), -- 0: a stand-in that only goes on counting; nothing is erased by it
  claim_ms          INTEGER CHECK (claim_ms >= 0), -- time off that the hardware clock showed and that is not counted yet
  allowance_ms      INTEGER NOT NULL CHECK (allowance_ms >= 0), -- what may still be believed without people
  doubt_since       INTEGER,                    -- trusted time when wall clock and trusted time last agreed; null while they do
  told              TEXT NOT NULL CHECK (told IN ('agreed', 'disagrees', 'waiting', 'unknown')), -- what the audit log was told last
  saved_at          INTEGER NOT NULL            -- wall clock of the newest change to this row
, timeline TEXT CHECK (length(timeline) = 32)) STRICT;

CREATE TABLE volume (
  uuid              TEXT PRIMARY KEY CHECK (length(uuid) = 32),
  id                TEXT NOT NULL UNIQUE,
  slot_size_bytes   INTEGER NOT NULL CHECK (slot_size_bytes > 0),
  slot_count        INTEGER NOT NULL CHECK (slot_count > 0),
  first_seen_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE volume_mark (
  volume_uuid       TEXT PRIMARY KEY REFERENCES volume (uuid),
  start_no          INTEGER NOT NULL REFERENCES catalogue_start (start_no) -- what its file says, as far as this catalogue knows
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_checkpoint_by_size ON audit_checkpoint (size);

CREATE INDEX audit_entry_by_application ON audit_entry (application, seq) WHERE application IS NOT NULL;

CREATE INDEX audit_entry_by_time ON audit_entry (at, seq) WHERE action NOT IN ('segment.sealed', 'slot.overwritten');

CREATE INDEX audit_entry_of_book ON audit_entry (action, seq) WHERE action IN ('viewing.opened', 'copy.released', 'book.entered', 'book.corrected', 'book.signed');

CREATE UNIQUE INDEX camera_by_id ON camera (id) WHERE retired_at IS NULL;

CREATE INDEX gap_by_length ON gap (camera_uuid, stream, end_at - start_at, start_at);

CREATE INDEX gap_by_stream ON gap (camera_uuid, stream, start_at);

CREATE UNIQUE INDEX gap_open ON gap (camera_uuid, stream) WHERE end_at IS NULL;

CREATE INDEX hold_in_force ON hold (camera_uuid, from_at, to_at, stream) WHERE ended_at IS NULL;

CREATE INDEX hold_of_application ON hold (application) WHERE application IS NOT NULL AND ended_at IS NULL;

CREATE INDEX rescue_entry_taken ON rescue_entry (taken_at);

CREATE INDEX run_by_number ON run (camera_uuid, stream, run_id);

CREATE INDEX run_by_stream ON run (camera_uuid, stream, start_at);

CREATE INDEX run_open ON run (run_id) WHERE end_at IS NULL;

CREATE INDEX sacrifice_step_by_length ON sacrifice_step (camera_uuid, stream, ended_at - started_at, started_at)
  WHERE mode = 'key-frames';

CREATE INDEX sacrifice_step_by_stream ON sacrifice_step (camera_uuid, stream, started_at);

CREATE UNIQUE INDEX sacrifice_step_open ON sacrifice_step (camera_uuid, stream) WHERE ended_at IS NULL;

CREATE UNIQUE INDEX scrub_finding_once ON scrub_finding (volume_uuid, slot, generation, kind, from_at) WHERE cleared_at IS NULL;

CREATE INDEX scrub_finding_standing ON scrub_finding (finding_id) WHERE cleared_at IS NULL;

CREATE INDEX segment_by_length ON segment (camera_uuid, stream, end_at - start_at, start_at) WHERE ended_at IS NULL;

CREATE INDEX segment_by_stream ON segment (camera_uuid, stream, start_at, end_at, ended_at) WHERE ended_at IS NULL;

CREATE INDEX segment_freed ON segment (freed_trusted_at) WHERE freed_trusted_at IS NOT NULL;

CREATE INDEX segment_held ON segment (volume_uuid) WHERE hold_count > 0 AND ended_at IS NULL;

CREATE INDEX segment_oldest ON segment (volume_uuid, end_at) WHERE sealed_at IS NOT NULL AND ended_at IS NULL;

CREATE INDEX segment_reuse ON segment (volume_uuid, floor_rule, newest_at) WHERE sealed_at IS NOT NULL AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0;

CREATE INDEX slot_by_state ON slot (volume_uuid, state, slot);

CREATE INDEX time_confirmation_open ON time_confirmation (confirmation_id) WHERE outcome IS NULL;
