-- Who may do what: accounts, what proves them, their sessions, and the records the rule asks for. Columns `..._at` are wall time, UTC milliseconds, for people to read;
-- `..._steady` is trusted time in milliseconds, which nobody can set: locks, ages and idle times are counted by it.

-- A named person, for good: a name is never given to another, and nobody is deleted.
CREATE TABLE account (
  account_id        TEXT PRIMARY KEY CHECK (length(account_id) BETWEEN 1 AND 40), -- what is typed to sign in
  display_name      TEXT NOT NULL,              -- as the person writes it, every code point kept
  unit              TEXT NOT NULL,
  post              TEXT NOT NULL,
  state             TEXT NOT NULL CHECK (state IN ('applied', 'refused', 'active', 'disabled', 'left')),
  disabled_why      TEXT,                       -- 'by-hand', 'idle', 'ended'
  ends_at           INTEGER,                    -- end of a temporary account
  custodian_id      TEXT REFERENCES account (account_id), -- who is present at a vendor's visit
  must_change       TEXT,                       -- why a new password is due before the next sign-in; null when none is
  active_steady     INTEGER,                    -- last made active; idle time counts from here or from the last use
  used_steady       INTEGER,                    -- last sign-in
  used_at           INTEGER,
  created_at        INTEGER NOT NULL,
  left_at           INTEGER,
  CHECK ((state = 'disabled') = (disabled_why IS NOT NULL)),
  CHECK ((state = 'left') = (left_at IS NOT NULL))
) STRICT;
CREATE TRIGGER account_stays BEFORE DELETE ON account BEGIN SELECT RAISE(ABORT, 'an account is closed, never deleted'); END;

CREATE TABLE account_role (
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  role              TEXT NOT NULL,
  PRIMARY KEY (account_id, role)
) STRICT, WITHOUT ROWID;

-- R65: what one person asks and another decides. Rows are never deleted.
CREATE TABLE account_request (
  request_id        INTEGER PRIMARY KEY,
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  kind              TEXT NOT NULL CHECK (kind IN ('open', 'change', 'enable')),
  wanted            TEXT NOT NULL,              -- JSON of what changes
  reason            TEXT NOT NULL,
  asked_by          TEXT NOT NULL,              -- account id, or `machine:NAME`
  asked_at          INTEGER NOT NULL,
  decided_by        TEXT,
  decided_at        INTEGER,
  decision          TEXT CHECK (decision IN ('approved', 'refused')),
  decision_reason   TEXT,
  CHECK ((decided_at IS NULL) = (decision IS NULL) AND (decided_by IS NULL) = (decision IS NULL))
) STRICT;
CREATE UNIQUE INDEX account_request_open ON account_request (account_id) WHERE decision IS NULL;

-- The present password and the last ones, as argon2id strings.
CREATE TABLE account_password (
  password_id       INTEGER PRIMARY KEY,
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  hash              TEXT NOT NULL,
  set_steady        INTEGER NOT NULL
) STRICT;
CREATE INDEX account_password_of ON account_password (account_id, password_id);

-- One-time token with which a person sets a password. At most one a person.
CREATE TABLE account_token (
  account_id        TEXT PRIMARY KEY REFERENCES account (account_id),
  hash              BLOB NOT NULL CHECK (length(hash) = 32), -- SHA-256; the token is 100 random bits
  ends_steady       INTEGER NOT NULL,
  issued_by         TEXT NOT NULL
) STRICT;

-- Time-based codes (RFC 6238).
CREATE TABLE account_factor (
  account_id        TEXT PRIMARY KEY REFERENCES account (account_id),
  sealed_secret     BLOB NOT NULL,              -- nonce, AES-256-GCM of the secret under state.dir/keys/factor-key, tag
  last_step         INTEGER NOT NULL,           -- 30-second step of the last code taken: it and those before are refused
  confirmed_at      INTEGER                     -- null until the first code was typed
) STRICT;
CREATE TABLE account_recovery_code (
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  hash              BLOB NOT NULL CHECK (length(hash) = 32), -- HMAC-SHA-256 under a key derived from factor-key
  used_at           INTEGER,
  PRIMARY KEY (account_id, hash)
) STRICT, WITHOUT ROWID;

-- Failed sign-ins by name, also of names that belong to nobody, so that a lock tells no stranger who has an account.
CREATE TABLE sign_in_failure (
  name_hash         BLOB PRIMARY KEY CHECK (length(name_hash) = 32),
  failures          INTEGER NOT NULL,           -- since the last success or lock
  locked_steady     INTEGER NOT NULL,           -- locked until
  failed_steady     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_failure_oldest ON sign_in_failure (failed_steady);

CREATE TABLE session (
  session_hash      BLOB PRIMARY KEY CHECK (length(session_hash) = 32), -- SHA-256 of the token
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  source            TEXT NOT NULL,
  role              TEXT,                       -- the one acted in; null until one is chosen
  deputy_for        TEXT REFERENCES account (account_id),
  began_steady      INTEGER NOT NULL,
  touched_steady    INTEGER NOT NULL,
  viewed_steady     INTEGER,                    -- last act at a player; null while nothing is viewed
  factor_steady     INTEGER,                    -- last time the second factor was shown
  began_at          INTEGER NOT NULL,
  ended_at          INTEGER,
  end_reason        TEXT,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX session_open ON session (account_id, began_steady) WHERE ended_at IS NULL;

-- R12: who stands in for whom, from when to when.
CREATE TABLE deputy (
  deputy_id         INTEGER PRIMARY KEY,
  absent_id         TEXT NOT NULL REFERENCES account (account_id),
  deputy_account_id TEXT NOT NULL REFERENCES account (account_id),
  role              TEXT NOT NULL,
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  document          TEXT NOT NULL,              -- on what paper
  named_by          TEXT NOT NULL,
  ended_at          INTEGER,
  CHECK (to_at > from_at),
  CHECK (absent_id <> deputy_account_id)
) STRICT;
CREATE INDEX deputy_by_deputy ON deputy (deputy_account_id);

-- R12: 移交. The role moves when the second has signed.
CREATE TABLE hand_over (
  hand_over_id      INTEGER PRIMARY KEY,
  role              TEXT NOT NULL,
  from_id           TEXT NOT NULL REFERENCES account (account_id),
  to_id             TEXT NOT NULL REFERENCES account (account_id),
  items             TEXT NOT NULL,              -- what was handed over
  given_at          INTEGER NOT NULL,
  taken_at          INTEGER,
  CHECK (from_id <> to_id)
) STRICT;
CREATE UNIQUE INDEX hand_over_open ON hand_over (from_id, role) WHERE taken_at IS NULL;

-- R53: 保密切結, at the first sign-in and at leaving.
CREATE TABLE undertaking (
  undertaking_id    INTEGER PRIMARY KEY,
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  kind              TEXT NOT NULL CHECK (kind IN ('entry', 'leaving')),
  version           TEXT NOT NULL,              -- of the text that was signed
  signed_at         INTEGER,                    -- null: not signed, and the note says why
  note              TEXT,
  CHECK (signed_at IS NOT NULL OR note IS NOT NULL)
) STRICT;
CREATE INDEX undertaking_of ON undertaking (account_id, kind);

-- R54: the list as it stood, and who signed it.
CREATE TABLE account_review (
  review_id         INTEGER PRIMARY KEY,
  year              INTEGER NOT NULL,
  list              TEXT NOT NULL,              -- canonical JSON
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64),
  made_by           TEXT NOT NULL,
  made_at           INTEGER NOT NULL,
  signed_by         TEXT,
  signed_at         INTEGER,
  remark            TEXT
) STRICT;

-- R13. Rows are never deleted; a row without an opening was the word of one person only.
CREATE TABLE break_glass (
  opening_id        INTEGER PRIMARY KEY,
  reason            TEXT NOT NULL,
  first_by          TEXT NOT NULL,              -- account id, or `machine:NAME`
  first_source      TEXT NOT NULL,
  asked_steady      INTEGER NOT NULL,
  second_by         TEXT,
  second_source     TEXT,
  opened_at         INTEGER,
  closes_steady     INTEGER,                    -- closes by itself
  closed_at         INTEGER,
  closed_by         TEXT,
  application       TEXT,                       -- the 附件4 that was owed
  settled_at        INTEGER,
  settled_by        TEXT,
  CHECK ((opened_at IS NULL) = (second_by IS NULL) AND (opened_at IS NULL) = (closes_steady IS NULL)),
  CHECK ((settled_at IS NULL) = (application IS NULL)),
  CHECK (first_by <> second_by)
) STRICT;
CREATE INDEX break_glass_standing ON break_glass (opening_id) WHERE opened_at IS NOT NULL AND (closed_at IS NULL OR settled_at IS NULL);
CREATE TRIGGER break_glass_stays BEFORE DELETE ON break_glass BEGIN SELECT RAISE(ABORT, 'an opening is closed, never deleted'); END;
