-- What is kept of a camera from one connection to the next, so that a change of it is noticed.
-- Times are UTC milliseconds by the wall clock.

CREATE TABLE camera_trait (
  camera_uuid   TEXT NOT NULL REFERENCES camera (uuid),
  -- ONVIF's token of the lens; SHA-256 of the certificate shown over HTTPS
  trait         TEXT NOT NULL CHECK (trait IN ('video-source', 'certificate')),
  value         TEXT NOT NULL CHECK (length(value) BETWEEN 1 AND 256),
  before        TEXT,                          -- the value that this one replaced; null for the first
  since_at      INTEGER NOT NULL,
  PRIMARY KEY (camera_uuid, trait)
) STRICT, WITHOUT ROWID;
