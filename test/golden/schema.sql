CREATE TABLE audit_entry (seq INTEGER PRIMARY KEY, action TEXT NOT NULL, detail TEXT NOT NULL) STRICT;

CREATE TABLE camera (
  uuid              TEXT PRIMARY KEY CHECK (length(uuid) = 32),
  id                TEXT NOT NULL,              -- the name in the configuration while it was recorded
  first_recorded_at INTEGER NOT NULL,
  retired_at        INTEGER                     -- left the configuration; the id may come back as another camera
) STRICT;

CREATE TABLE gap (
  gap_id            INTEGER PRIMARY KEY,
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  stream            TEXT NOT NULL,
  start_at          INTEGER NOT NULL,           -- end of the last frame before it
  end_at            INTEGER,                    -- first frame after it; null while it lasts
  cause             TEXT NOT NULL,              -- why it began
  last_cause        TEXT NOT NULL,              -- why the newest try to end it failed
  noticed_at        INTEGER NOT NULL,
  CHECK (end_at IS NULL OR end_at >= start_at)
) STRICT;

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

CREATE TABLE schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;

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
  ended_at          INTEGER,                    -- the slot was given to the next generation
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

CREATE TABLE volume (
  uuid              TEXT PRIMARY KEY CHECK (length(uuid) = 32),
  id                TEXT NOT NULL UNIQUE,
  slot_size_bytes   INTEGER NOT NULL CHECK (slot_size_bytes > 0),
  slot_count        INTEGER NOT NULL CHECK (slot_count > 0),
  first_seen_at     INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX camera_by_id ON camera (id) WHERE retired_at IS NULL;

CREATE INDEX gap_by_stream ON gap (camera_uuid, stream, start_at);

CREATE UNIQUE INDEX gap_open ON gap (camera_uuid, stream) WHERE end_at IS NULL;

CREATE INDEX run_by_stream ON run (camera_uuid, stream, start_at);

CREATE INDEX run_open ON run (run_id) WHERE end_at IS NULL;

CREATE INDEX segment_by_stream ON segment (camera_uuid, stream, start_at) WHERE ended_at IS NULL;

CREATE INDEX segment_oldest ON segment (volume_uuid, end_at) WHERE sealed_at IS NOT NULL AND ended_at IS NULL;

CREATE INDEX slot_by_state ON slot (volume_uuid, state, slot);
