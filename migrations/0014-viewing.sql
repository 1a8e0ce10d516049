-- Screens that show pictures: viewings on a grant, live views, aimings; and reference images. Times are UTC milliseconds by the wall clock.

CREATE TABLE viewing_session (
  id                TEXT PRIMARY KEY CHECK (length(id) = 32), -- hex; the object of its audit entries and of its book line
  kind              TEXT NOT NULL CHECK (kind IN ('granted', 'live', 'aiming')),
  application       TEXT,                       -- of a granted one
  account           TEXT NOT NULL,              -- who opened it
  second_account    TEXT,                       -- who joined an aiming
  visitor           TEXT,                       -- who sat beside the custodian
  opened_at         INTEGER NOT NULL,
  opened_seq        INTEGER NOT NULL UNIQUE REFERENCES audit_entry (seq),
  closed_at         INTEGER,                    -- null while it is open, or the recorder was killed under it
  close_reason      TEXT,
  closed_seq        INTEGER REFERENCES audit_entry (seq),
  CHECK ((kind = 'granted') = (application IS NOT NULL)),
  CHECK ((kind = 'aiming') = (second_account IS NOT NULL)),
  CHECK ((closed_at IS NULL) = (close_reason IS NULL) AND (closed_at IS NULL) = (closed_seq IS NULL))
) STRICT;
CREATE INDEX viewing_session_open ON viewing_session (opened_at) WHERE closed_at IS NULL;
CREATE INDEX viewing_session_by_application ON viewing_session (application, opened_at) WHERE application IS NOT NULL;

-- The picture that a camera's direction is compared with (R5). The file is state.dir/reference-images/ID.jpg.
CREATE TABLE reference_image (
  id                TEXT PRIMARY KEY CHECK (length(id) = 32), -- hex
  camera_uuid       TEXT NOT NULL CHECK (length(camera_uuid) = 32),
  taken_at          INTEGER NOT NULL,           -- of the frame
  size_bytes        INTEGER NOT NULL CHECK (size_bytes > 0),
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of the file
  approved_by       TEXT NOT NULL,
  approved_seq      INTEGER NOT NULL UNIQUE REFERENCES audit_entry (seq)
) STRICT;
CREATE INDEX reference_image_by_camera ON reference_image (camera_uuid, taken_at);
