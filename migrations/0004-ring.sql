-- What the guard judges by, what it judged, and who asked that footage stays.

ALTER TABLE segment ADD COLUMN newest_at INTEGER;                  -- newest frame by trusted time, what floors count from; differs from end_at where the wall clock was wrong
ALTER TABLE segment ADD COLUMN hold_count INTEGER NOT NULL DEFAULT 0 CHECK (hold_count >= 0); -- holds in force that cover a part of it; set at sealing
ALTER TABLE segment ADD COLUMN is_quarantined INTEGER NOT NULL DEFAULT 0 CHECK (is_quarantined IN (0, 1)); -- its slot failed: readable as far as it goes, never reused
-- Why its slot was free to go, as the guard said in the transaction that ended it; null while it stands, or when no frame was ever in it.
ALTER TABLE segment ADD COLUMN freed_trusted_at INTEGER;
ALTER TABLE segment ADD COLUMN freed_kept_until INTEGER;           -- the larger of the floor at recording and the floor then
ALTER TABLE segment ADD COLUMN freed_floor_rule TEXT;              -- the floor in force then
ALTER TABLE segment ADD COLUMN freed_audit_seq INTEGER;

UPDATE segment SET newest_at = end_at WHERE sealed_at IS NOT NULL;
UPDATE segment SET is_quarantined = 1 WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM slot
  WHERE slot.volume_uuid = segment.volume_uuid AND slot.slot = segment.slot AND slot.generation = segment.generation AND slot.state = 'quarantined');

-- The first of each floor rule is the first of them to be free: keepUntil rises with the newest frame.
DROP INDEX segment_oldest;
CREATE INDEX segment_reuse ON segment (volume_uuid, floor_rule, newest_at) WHERE sealed_at IS NOT NULL AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0;
CREATE INDEX segment_oldest ON segment (volume_uuid, end_at) WHERE sealed_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX segment_held ON segment (volume_uuid) WHERE hold_count > 0 AND ended_at IS NULL;
CREATE INDEX segment_freed ON segment (freed_trusted_at) WHERE freed_trusted_at IS NOT NULL;

-- Footage that stays until a recorded act lets it go [G2]. Rows are never deleted.
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
CREATE INDEX hold_in_force ON hold (camera_uuid, from_at) WHERE ended_at IS NULL;
CREATE TRIGGER hold_stays BEFORE DELETE ON hold BEGIN SELECT RAISE(ABORT, 'a hold is ended, never deleted'); END;

-- 循環覆蓋紀錄 (R25): one row a camera and local day (by trusted time) on which footage was overwritten, written the day after.
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
