-- What the recorder knows stands in its own database, and is asked for. The log is the office's own from here on.

-- A camera is told by its mark alone: which ones there are, the recorder says.
CREATE TABLE granted_line (
  number            TEXT NOT NULL REFERENCES application_grant (number),
  camera_uuid       TEXT NOT NULL CHECK (length(camera_uuid) = 32),
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  PRIMARY KEY (camera_uuid, from_at, number),
  CHECK (to_at > from_at)
) STRICT, WITHOUT ROWID;
INSERT INTO granted_line SELECT number, camera_uuid, from_at, to_at FROM application_grant_line;
DROP TABLE application_grant_line;
ALTER TABLE granted_line RENAME TO application_grant_line;

DROP TABLE footage_move;
DROP TABLE camera_trait;
DROP TABLE time_advance;
DROP TABLE camera_device;
DROP VIEW unrecorded;
DROP TABLE sacrifice_step;
DROP TABLE rescue_entry;
DROP TABLE rescue_log;
DROP TABLE scrub_finding;
DROP TABLE scrub_position;
DROP TABLE volume_mark;
DROP TABLE catalogue_start;
DROP TABLE overwrite_record;
DROP TABLE hold;
DROP TABLE clock_sample;
DROP TABLE time_confirmation;
DROP TABLE trusted_time;
DROP TABLE gap;
DROP TABLE run;
DROP TABLE segment;
DROP TABLE slot;
DROP TABLE volume;
DROP TABLE camera;
