-- Order of sacrifice: what was recorded less of, from when to when, and why. One row a step of a stream; never deleted.
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
CREATE UNIQUE INDEX sacrifice_step_open ON sacrifice_step (camera_uuid, stream) WHERE ended_at IS NULL;
CREATE INDEX sacrifice_step_by_stream ON sacrifice_step (camera_uuid, stream, started_at);
CREATE TRIGGER sacrifice_step_stays BEFORE DELETE ON sacrifice_step BEGIN SELECT RAISE(ABORT, 'a step is ended, never deleted'); END;

-- Every span that was not recorded in full (R20): the gaps, and spans of which only the key frames were recorded. The two may overlap: a camera can also fail while stepped down.
CREATE VIEW unrecorded AS
  SELECT camera_uuid, stream, start_at, end_at, cause, last_cause, noticed_at FROM gap
  UNION ALL
  SELECT camera_uuid, stream, started_at, ended_at, 'key-frames-only', 'key-frames-only', started_at FROM sacrifice_step WHERE mode = 'key-frames';
