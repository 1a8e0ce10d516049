-- Which device stood behind a camera, as it told by ONVIF. Times are UTC milliseconds by the wall clock. Texts are the device's own, cleaned and bounded; null where it said nothing.

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
