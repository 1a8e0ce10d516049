-- The inbox: keys of document systems, and what became of each file. Columns `..._at` are wall time, UTC milliseconds.

-- Public keys only; whoever holds the private half speaks for the system until the key ends or is revoked.
CREATE TABLE inbox_key (
  key_id            TEXT PRIMARY KEY CHECK (length(key_id) = 16), -- first 16 hex digits of the SHA-256 of the key (SPKI, DER)
  system            TEXT NOT NULL,              -- name of the document system
  public_key        BLOB NOT NULL CHECK (length(public_key) = 44), -- Ed25519, SPKI, DER
  valid_from        INTEGER NOT NULL,
  valid_until       INTEGER NOT NULL,           -- first instant that is too late
  added_at          INTEGER NOT NULL,
  added_by          TEXT NOT NULL,              -- as they named themselves at the machine
  revoked_at        INTEGER,
  revoked_by        TEXT,
  revoke_reason     TEXT,
  CHECK (valid_until > valid_from),
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (revoke_reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TRIGGER inbox_key_stays BEFORE DELETE ON inbox_key BEGIN SELECT RAISE(ABORT, 'a key is revoked, never deleted'); END;
CREATE TRIGGER inbox_key_as_enrolled BEFORE UPDATE ON inbox_key WHEN OLD.revoked_at IS NOT NULL OR NEW.system IS NOT OLD.system OR NEW.public_key IS NOT OLD.public_key OR NEW.valid_from IS NOT OLD.valid_from OR NEW.valid_until IS NOT OLD.valid_until
  BEGIN SELECT RAISE(ABORT, 'a key is revoked once and changed in nothing else'); END;

-- Messages that were taken; a second file with the same one is answered without doing anything again.
CREATE TABLE inbox_message (
  system            TEXT NOT NULL,
  message_id        TEXT NOT NULL,
  message_sha256    TEXT NOT NULL CHECK (length(message_sha256) = 64), -- of the signed bytes
  key_id            TEXT NOT NULL REFERENCES inbox_key (key_id),
  application       TEXT NOT NULL REFERENCES application (number),
  taken_at          INTEGER NOT NULL,
  PRIMARY KEY (system, message_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER inbox_message_stays BEFORE DELETE ON inbox_message BEGIN SELECT RAISE(ABORT, 'a taken message is never forgotten'); END;
CREATE TRIGGER inbox_message_as_taken BEFORE UPDATE ON inbox_message BEGIN SELECT RAISE(ABORT, 'a taken message is never changed'); END;

-- What was decided about a file, so that a kill between deciding and moving it changes nothing.
CREATE TABLE inbox_file (
  file_id           INTEGER PRIMARY KEY,
  name              TEXT NOT NULL,              -- in the inbox
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of its bytes; of its name where it is no regular file
  outcome           TEXT NOT NULL CHECK (outcome IN ('accepted', 'rejected')),
  reason            TEXT,                       -- code, of a rejected one
  detail            TEXT,                       -- text of the reason file
  decided_at        INTEGER NOT NULL,
  moved_at          INTEGER,                    -- null until it lies in accepted/ or rejected/
  CHECK ((outcome = 'rejected') = (reason IS NOT NULL) AND (outcome = 'rejected') = (detail IS NOT NULL))
) STRICT;
CREATE INDEX inbox_file_pending ON inbox_file (file_id) WHERE moved_at IS NULL;
