-- Applications: what was asked, each step of it, what a decision opened. Columns `..._at` are wall time, UTC milliseconds.

-- One row a case, to find it by; what it says stands in its events.
CREATE TABLE application (
  number            TEXT PRIMARY KEY,           -- 115-調-0001
  roc_year          INTEGER NOT NULL,
  serial            INTEGER NOT NULL,
  form              TEXT NOT NULL,
  applicant_class   TEXT NOT NULL,
  applicant_account TEXT,                       -- somebody of the office who applies; they see their own
  state             TEXT NOT NULL,
  version           INTEGER NOT NULL,           -- of the newest event
  received_at       INTEGER NOT NULL,
  nominal_day       TEXT,                       -- end of the deadline before it moves off rest days; null once nothing is due. The due day follows from the calendar
  UNIQUE (roc_year, serial)
) STRICT;
CREATE INDEX application_due ON application (nominal_day) WHERE nominal_day IS NOT NULL;
CREATE INDEX application_own ON application (applicant_account) WHERE applicant_account IS NOT NULL;
CREATE TRIGGER application_stays BEFORE DELETE ON application BEGIN SELECT RAISE(ABORT, 'an application is closed, never deleted'); END;

-- Each version with the act that made it. Never changed, never deleted; SHA-256 of the record stands in the audit log too.
CREATE TABLE application_event (
  number            TEXT NOT NULL REFERENCES application (number),
  version           INTEGER NOT NULL CHECK (version >= 1),
  verb              TEXT NOT NULL,
  at                INTEGER NOT NULL,
  actor             TEXT NOT NULL,              -- canonical JSON
  record            TEXT NOT NULL,              -- the application after it, JSON; ID numbers in it are masked
  record_sha256     TEXT NOT NULL CHECK (length(record_sha256) = 64),
  answer            TEXT NOT NULL,              -- what the person was told, JSON
  person            TEXT NOT NULL,              -- with the key: a request sent twice is done once
  request_key       TEXT NOT NULL,
  request_mark      BLOB NOT NULL CHECK (length(request_mark) = 32), -- HMAC-SHA-256 of the command
  PRIMARY KEY (number, version),
  UNIQUE (person, request_key)
) STRICT;
CREATE TRIGGER application_event_as_written BEFORE UPDATE ON application_event BEGIN SELECT RAISE(ABORT, 'a step of an application is never changed'); END;
CREATE TRIGGER application_event_stays BEFORE DELETE ON application_event BEGIN SELECT RAISE(ABORT, 'a step of an application is never deleted'); END;

-- Names of applicants and agents, as written, of all versions.
CREATE TABLE application_name (
  number            TEXT NOT NULL REFERENCES application (number),
  name              TEXT NOT NULL,
  PRIMARY KEY (number, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE application_id_number (
  number            TEXT NOT NULL REFERENCES application (number),
  version           INTEGER NOT NULL,
  place             TEXT NOT NULL,              -- fields.applicant-id, agents[0].fields.agent-id
  masked            TEXT NOT NULL,              -- A12****789
  sealed            BLOB NOT NULL,              -- nonce, AES-256-GCM under state.dir/keys/person-key, tag
  PRIMARY KEY (number, version, place)
) STRICT, WITHOUT ROWID;

-- What an approval opened: a way to find it. Whether it opens anything is proved from the application's record each time.
CREATE TABLE application_grant (
  number            TEXT PRIMARY KEY REFERENCES application (number),
  version           INTEGER NOT NULL,           -- of the event that granted it
  acts              TEXT NOT NULL CHECK (acts IN ('view', 'copy', 'view copy')),
  place             TEXT NOT NULL,
  opened_at         INTEGER NOT NULL,
  valid_until       INTEGER NOT NULL,           -- first instant that is too late
  ended_at          INTEGER,
  end_reason        TEXT CHECK (end_reason IN ('expired', 'revoked', 'closed', 'withdrawn')),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE INDEX application_grant_open ON application_grant (valid_until) WHERE ended_at IS NULL;
CREATE TRIGGER application_grant_stays BEFORE DELETE ON application_grant BEGIN SELECT RAISE(ABORT, 'a grant is ended, never deleted'); END;

CREATE TABLE application_grant_line (
  number            TEXT NOT NULL REFERENCES application_grant (number),
  camera_uuid       TEXT NOT NULL REFERENCES camera (uuid),
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  PRIMARY KEY (camera_uuid, from_at, number),
  CHECK (to_at > from_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_of_application ON hold (application) WHERE application IS NOT NULL AND ended_at IS NULL;
