-- The audit log: what was done, by whom, when; every entry hashes the one before. Times are whole UTC milliseconds since 1970, hashes SHA-256.

-- One row: which log this is. Made once, so that a checkpoint of another log can never be taken for one of this.
CREATE TABLE audit_log (
  only              INTEGER PRIMARY KEY CHECK (only = 1),
  id                TEXT NOT NULL CHECK (length(id) = 16), -- hex, random
  written_at        INTEGER                     -- last time that writing was tried and went well
) STRICT;
INSERT INTO audit_log (only, id) VALUES (1, lower(hex(randomblob(8))));

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
CREATE INDEX audit_entry_by_application ON audit_entry (application, seq) WHERE application IS NOT NULL;
CREATE TRIGGER audit_entry_in_order BEFORE INSERT ON audit_entry WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit_entry)
  BEGIN SELECT RAISE(ABORT, 'audit entries are added at the end'); END;
CREATE TRIGGER audit_entry_is_never_changed BEFORE UPDATE ON audit_entry BEGIN SELECT RAISE(ABORT, 'an audit entry is never changed'); END;
CREATE TRIGGER audit_entry_is_never_deleted BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, 'an audit entry is never deleted'); END;

-- Roots of complete subtrees (RFC 6962) of 256 to the power of `level` entries, so that a root over millions needs a few hundred rows.
CREATE TABLE audit_tile (
  level             INTEGER NOT NULL CHECK (level BETWEEN 1 AND 6),
  position          INTEGER NOT NULL CHECK (position >= 0), -- of the subtree among those of its level
  hash              BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

-- One row each time that a signing key came into use: old checkpoints stay verifiable.
CREATE TABLE audit_key (
  first_seq         INTEGER PRIMARY KEY,        -- the audit entry that tells of it
  fingerprint       TEXT NOT NULL CHECK (length(fingerprint) = 64), -- SHA-256 of the public key (SubjectPublicKeyInfo, DER)
  public_pem        TEXT NOT NULL,
  first_used_at     INTEGER NOT NULL
) STRICT;

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
CREATE INDEX audit_checkpoint_by_size ON audit_checkpoint (size);
CREATE TRIGGER audit_checkpoint_is_never_changed BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'a checkpoint is never changed'); END;
CREATE TRIGGER audit_checkpoint_is_never_deleted BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'a checkpoint is never deleted'); END;

-- Which checkpoints left the machine, and how.
CREATE TABLE audit_witness (
  checkpoint_id     INTEGER NOT NULL REFERENCES audit_checkpoint (checkpoint_id),
  how               TEXT NOT NULL CHECK (how IN ('syslog', 'command', 'print')),
  at                INTEGER NOT NULL,
  by_name           TEXT,                       -- who vouches for it; null when the recorder sent it by itself
  audit_seq         INTEGER NOT NULL,
  PRIMARY KEY (checkpoint_id, how)
) STRICT, WITHOUT ROWID;
