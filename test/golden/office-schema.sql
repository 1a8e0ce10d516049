CREATE TRIGGER account_stays BEFORE DELETE ON account BEGIN SELECT RAISE(ABORT, 'an account is closed, never deleted'); END;

CREATE TRIGGER application_event_as_written BEFORE UPDATE ON application_event BEGIN SELECT RAISE(ABORT, 'a step of an application is never changed'); END;

CREATE TRIGGER application_event_stays BEFORE DELETE ON application_event BEGIN SELECT RAISE(ABORT, 'a step of an application is never deleted'); END;

CREATE TRIGGER application_grant_stays BEFORE DELETE ON application_grant BEGIN SELECT RAISE(ABORT, 'a grant is ended, never deleted'); END;

CREATE TRIGGER application_stays BEFORE DELETE ON application BEGIN SELECT RAISE(ABORT, 'an application is closed, never deleted'); END;

CREATE TRIGGER archive_destruction_as_written BEFORE UPDATE ON archive_destruction BEGIN SELECT RAISE(ABORT, 'a destruction record is never changed'); END;

CREATE TRIGGER archive_destruction_stays BEFORE DELETE ON archive_destruction BEGIN SELECT RAISE(ABORT, 'a destruction record is never deleted'); END;

CREATE TRIGGER archive_hold_ends_once BEFORE UPDATE ON archive_hold WHEN OLD.ended_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'a hold ends once'); END;

CREATE TRIGGER archive_hold_stays BEFORE DELETE ON archive_hold BEGIN SELECT RAISE(ABORT, 'a hold is ended, never deleted'); END;

CREATE TRIGGER archive_item_as_pinned BEFORE UPDATE ON archive_item
  WHEN NEW.item_no IS NOT OLD.item_no OR NEW.made_at IS NOT OLD.made_at OR NEW.recorded_to IS NOT OLD.recorded_to OR NEW.counts_from IS NOT OLD.counts_from OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.footage_sha256 IS NOT OLD.footage_sha256 OR NEW.payload_sha256 IS NOT OLD.payload_sha256 OR NEW.application IS NOT OLD.application
  BEGIN SELECT RAISE(ABORT, 'what pins an item is never changed'); END;

CREATE TRIGGER archive_item_dated_later BEFORE UPDATE ON archive_item WHEN NEW.later_ms < OLD.later_ms
  BEGIN SELECT RAISE(ABORT, 'an item is never dated earlier'); END;

CREATE TRIGGER archive_item_goes_forward BEFORE UPDATE OF state ON archive_item
  WHEN NOT (OLD.state = NEW.state OR (OLD.state = 'kept' AND NEW.state = 'destroying') OR (OLD.state = 'destroying' AND NEW.state = 'destroyed' AND EXISTS (SELECT 1 FROM archive_destruction WHERE item_no = OLD.item_no)))
  BEGIN SELECT RAISE(ABORT, 'an item is kept, then destroyed with a record'); END;

CREATE TRIGGER archive_item_held BEFORE UPDATE OF state ON archive_item
  WHEN OLD.state = 'kept' AND NEW.state = 'destroying' AND EXISTS (SELECT 1 FROM archive_hold WHERE item_no = OLD.item_no AND ended_at IS NULL)
  BEGIN SELECT RAISE(ABORT, 'the item is held'); END;

CREATE TRIGGER archive_item_stays BEFORE DELETE ON archive_item BEGIN SELECT RAISE(ABORT, 'an archived item is destroyed with a record, its row never deleted'); END;

CREATE TRIGGER archive_signature_as_written BEFORE UPDATE ON archive_signature BEGIN SELECT RAISE(ABORT, 'a signature is never changed'); END;

CREATE TRIGGER archive_signature_in_order BEFORE INSERT ON archive_signature
  WHEN NEW.box = 'head' AND NOT EXISTS (SELECT 1 FROM archive_signature WHERE item_no = NEW.item_no AND box = 'custodian' AND account <> NEW.account)
  BEGIN SELECT RAISE(ABORT, 'the head signs after the custodian, and is another person'); END;

CREATE TRIGGER archive_signature_stays BEFORE DELETE ON archive_signature BEGIN SELECT RAISE(ABORT, 'a signature is never deleted'); END;

CREATE TRIGGER audit_checkpoint_is_never_changed BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'a checkpoint is never changed'); END;

CREATE TRIGGER audit_checkpoint_is_never_deleted BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'a checkpoint is never deleted'); END;

CREATE TRIGGER audit_entry_in_order BEFORE INSERT ON audit_entry WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit_entry)
  BEGIN SELECT RAISE(ABORT, 'audit entries are added at the end'); END;

CREATE TRIGGER audit_entry_is_never_changed BEFORE UPDATE ON audit_entry BEGIN SELECT RAISE(ABORT, 'an audit entry is never changed'); END;

CREATE TRIGGER audit_entry_is_never_deleted BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, 'an audit entry is never deleted'); END;

CREATE TRIGGER audit_head_is_never_changed BEFORE UPDATE ON audit_head BEGIN SELECT RAISE(ABORT, 'a head is never changed'); END;

CREATE TRIGGER audit_head_is_never_deleted BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'a head is never deleted'); END;

CREATE TRIGGER book_line_in_order BEFORE INSERT ON book_line WHEN NEW.line <> (SELECT coalesce(max(line), 0) + 1 FROM book_line)
  BEGIN SELECT RAISE(ABORT, 'book lines are added at the end'); END;

CREATE TRIGGER book_line_is_never_changed BEFORE UPDATE ON book_line BEGIN SELECT RAISE(ABORT, 'a book line is never changed'); END;

CREATE TRIGGER book_line_is_never_deleted BEFORE DELETE ON book_line BEGIN SELECT RAISE(ABORT, 'a book line is never deleted'); END;

CREATE TRIGGER book_line_waits AFTER INSERT ON book_line BEGIN
  INSERT INTO book_waiting VALUES (NEW.line, NEW.used_at, 'custodian');
  DELETE FROM book_waiting WHERE line = NEW.corrects;
END;

CREATE TRIGGER book_person_is_never_changed BEFORE UPDATE ON book_person BEGIN SELECT RAISE(ABORT, 'a book line is never changed'); END;

CREATE TRIGGER book_person_is_never_deleted BEFORE DELETE ON book_person BEGIN SELECT RAISE(ABORT, 'a book line is never deleted'); END;

CREATE TRIGGER book_range_is_never_changed BEFORE UPDATE ON book_range BEGIN SELECT RAISE(ABORT, 'a book line is never changed'); END;

CREATE TRIGGER book_range_is_never_deleted BEFORE DELETE ON book_range BEGIN SELECT RAISE(ABORT, 'a book line is never deleted'); END;

CREATE TRIGGER book_signature_counts AFTER INSERT ON book_signature BEGIN
  UPDATE book_waiting SET box = 'head' WHERE line = NEW.line AND NEW.box = 'custodian';
  DELETE FROM book_waiting WHERE line = NEW.line AND NEW.box = 'head';
END;

CREATE TRIGGER book_signature_in_order BEFORE INSERT ON book_signature
  WHEN NEW.box = 'head' AND NOT EXISTS (SELECT 1 FROM book_signature WHERE line = NEW.line AND box = 'custodian' AND account <> NEW.account)
  BEGIN SELECT RAISE(ABORT, 'the head signs after the custodian, and is another person'); END;

CREATE TRIGGER book_signature_is_never_changed BEFORE UPDATE ON book_signature BEGIN SELECT RAISE(ABORT, 'a signature is never changed'); END;

CREATE TRIGGER book_signature_is_never_deleted BEFORE DELETE ON book_signature BEGIN SELECT RAISE(ABORT, 'a signature is never deleted'); END;

CREATE TRIGGER break_glass_stays BEFORE DELETE ON break_glass BEGIN SELECT RAISE(ABORT, 'an opening is closed, never deleted'); END;

CREATE TRIGGER case_hold_stays BEFORE DELETE ON case_hold BEGIN SELECT RAISE(ABORT, 'what a case held is ended, never deleted'); END;

CREATE TRIGGER copy_job_ends_once BEFORE UPDATE OF state ON copy_job WHEN OLD.ended_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'a copy that ended does not go on'); END;

CREATE TRIGGER copy_job_stays BEFORE DELETE ON copy_job BEGIN SELECT RAISE(ABORT, 'a copy ends, its row stays'); END;

CREATE TRIGGER inbox_key_as_enrolled BEFORE UPDATE ON inbox_key WHEN OLD.revoked_at IS NOT NULL OR NEW.system IS NOT OLD.system OR NEW.public_key IS NOT OLD.public_key OR NEW.valid_from IS NOT OLD.valid_from OR NEW.valid_until IS NOT OLD.valid_until
  BEGIN SELECT RAISE(ABORT, 'a key is revoked once and changed in nothing else'); END;

CREATE TRIGGER inbox_key_stays BEFORE DELETE ON inbox_key BEGIN SELECT RAISE(ABORT, 'a key is revoked, never deleted'); END;

CREATE TRIGGER inbox_message_as_taken BEFORE UPDATE ON inbox_message BEGIN SELECT RAISE(ABORT, 'a taken message is never changed'); END;

CREATE TRIGGER inbox_message_stays BEFORE DELETE ON inbox_message BEGIN SELECT RAISE(ABORT, 'a taken message is never forgotten'); END;

CREATE TRIGGER incident_note_is_never_changed BEFORE UPDATE ON incident_note BEGIN SELECT RAISE(ABORT, 'a note is never changed'); END;

CREATE TRIGGER incident_note_is_never_deleted BEFORE DELETE ON incident_note BEGIN SELECT RAISE(ABORT, 'a note is never deleted'); END;

CREATE TRIGGER incident_stays BEFORE DELETE ON incident BEGIN SELECT RAISE(ABORT, 'an incident is closed, never deleted'); END;

CREATE TRIGGER review_pack_is_signed_once BEFORE UPDATE ON review_pack
  WHEN OLD.signed_at IS NOT NULL OR NEW.content IS NOT OLD.content OR NEW.sha256 IS NOT OLD.sha256 OR NEW.month IS NOT OLD.month OR NEW.made_at IS NOT OLD.made_at OR NEW.made_by IS NOT OLD.made_by
  BEGIN SELECT RAISE(ABORT, 'a review pack is signed once and not changed'); END;

CREATE TRIGGER review_pack_stays BEFORE DELETE ON review_pack BEGIN SELECT RAISE(ABORT, 'a review pack is signed, never deleted'); END;

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

CREATE TABLE account_factor (
  account_id        TEXT PRIMARY KEY REFERENCES account (account_id),
  sealed_secret     BLOB NOT NULL,              -- nonce, AES-256-GCM of the secret under state.dir/keys/factor-key, tag
  last_step         INTEGER NOT NULL,           -- 30-second step of the last code taken: it and those before are refused
  confirmed_at      INTEGER                     -- null until the first code was typed
) STRICT;

CREATE TABLE account_password (
  password_id       INTEGER PRIMARY KEY,
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  hash              TEXT NOT NULL,
  set_steady        INTEGER NOT NULL
) STRICT;

CREATE TABLE account_recovery_code (
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  hash              BLOB NOT NULL CHECK (length(hash) = 32), -- HMAC-SHA-256 under a key derived from factor-key
  used_at           INTEGER,
  PRIMARY KEY (account_id, hash)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE account_role (
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  role              TEXT NOT NULL,
  PRIMARY KEY (account_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_token (
  account_id        TEXT PRIMARY KEY REFERENCES account (account_id),
  hash              BLOB NOT NULL CHECK (length(hash) = 32), -- SHA-256; the token is 100 random bits
  ends_steady       INTEGER NOT NULL,
  issued_by         TEXT NOT NULL
) STRICT;

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

CREATE TABLE "application_grant_line" (
  number            TEXT NOT NULL REFERENCES application_grant (number),
  camera_uuid       TEXT NOT NULL CHECK (length(camera_uuid) = 32),
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  PRIMARY KEY (camera_uuid, from_at, number),
  CHECK (to_at > from_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE application_id_number (
  number            TEXT NOT NULL REFERENCES application (number),
  version           INTEGER NOT NULL,
  place             TEXT NOT NULL,              -- fields.applicant-id, agents[0].fields.agent-id
  masked            TEXT NOT NULL,              -- A12****789
  sealed            BLOB NOT NULL,              -- nonce, AES-256-GCM under state.dir/keys/person-key, tag
  PRIMARY KEY (number, version, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE application_name (
  number            TEXT NOT NULL REFERENCES application (number),
  name              TEXT NOT NULL,
  PRIMARY KEY (number, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE archive_destruction (
  item_no           TEXT PRIMARY KEY REFERENCES archive_item (item_no),
  content           TEXT NOT NULL,              -- canonical JSON
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of it
  destroyed_at      INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL UNIQUE REFERENCES audit_entry (seq)
) STRICT;

CREATE TABLE archive_hold (
  hold_id           TEXT PRIMARY KEY CHECK (length(hold_id) = 32),
  item_no           TEXT NOT NULL REFERENCES archive_item (item_no),
  authority         TEXT NOT NULL,
  placed_by         TEXT NOT NULL,
  placed_key        TEXT NOT NULL,              -- person, to compare with
  placed_at         INTEGER NOT NULL,
  until             INTEGER NOT NULL,           -- 00:00 after its last day
  approved_by       TEXT,
  approved_at       INTEGER,
  ask_key           TEXT,                       -- who asked that it end early
  ask_by            TEXT,
  ask_steady        INTEGER,                    -- when, in milliseconds of trusted running time
  ask_reason        TEXT,
  ended_at          INTEGER,
  ended_by          TEXT,
  end_reason        TEXT,
  CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
  CHECK ((ask_key IS NULL) = (ask_steady IS NULL)),
  CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE TABLE archive_item (
  item_no           TEXT PRIMARY KEY,           -- A115-0001; names its folder too
  application       TEXT NOT NULL,
  kind              TEXT NOT NULL CHECK (kind IN ('copy-master', 'preserved')),
  reason            TEXT NOT NULL,              -- 繼續保存之必要
  requester         TEXT NOT NULL,
  approver          TEXT NOT NULL,
  footage_sha256    TEXT NOT NULL CHECK (length(footage_sha256) = 64), -- what the copy's own manifest is known by
  payload_sha256    TEXT NOT NULL CHECK (length(payload_sha256) = 64), -- of the plaintext that was put in
  bytes             INTEGER NOT NULL CHECK (bytes > 0), -- on disk, encrypted
  made_at           INTEGER NOT NULL,           -- trusted time, or the later of both clocks while that was in doubt
  recorded_to       INTEGER NOT NULL,           -- end of the newest range, exclusive
  counts_from       TEXT NOT NULL CHECK (counts_from IN ('copied', 'recorded')),
  expires_at        INTEGER NOT NULL,           -- 00:00 after the last day
  expiry_text       TEXT NOT NULL,
  key_id            TEXT NOT NULL,
  state             TEXT NOT NULL CHECK (state IN ('kept', 'destroying', 'destroyed')),
  file_no           TEXT,                       -- 已歸檔: number of the filed 公文
  filed_by          TEXT,
  filed_at          INTEGER,
  revision          INTEGER NOT NULL CHECK (revision >= 1), -- rises with each act that the sidecar tells
  sidecar_revision  INTEGER NOT NULL,           -- that the sidecar on disk tells; 0: none known
  verified_at       INTEGER NOT NULL,           -- read again as a whole and found as it was put in
  lost_since        INTEGER,
  lost_what         TEXT,
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq), stamp_timeline TEXT, stamp_at INTEGER, later_ms INTEGER NOT NULL DEFAULT 0 CHECK (later_ms >= 0),
  CHECK ((file_no IS NULL) = (filed_by IS NULL) AND (file_no IS NULL) = (filed_at IS NULL)),
  CHECK (state = 'kept' OR file_no IS NULL),
  CHECK ((lost_since IS NULL) = (lost_what IS NULL))
) STRICT;

CREATE TABLE archive_key_backup (
  place     TEXT NOT NULL CHECK (length(place) BETWEEN 1 AND 200), -- where it is kept
  until     INTEGER NOT NULL,                  -- first instant at which it is overwritten or destroyed
  told_by   TEXT NOT NULL,
  told_at   INTEGER NOT NULL,
  told_seq  INTEGER PRIMARY KEY REFERENCES audit_entry (seq),
  CHECK (until > told_at)
) STRICT;

CREATE TABLE archive_notice (
  item_no           TEXT NOT NULL REFERENCES archive_item (item_no),
  destroys_at       INTEGER NOT NULL,
  days              INTEGER NOT NULL CHECK (days IN (30, 7, 1)),
  given_at          INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq),
  PRIMARY KEY (item_no, destroys_at, days)
) STRICT, WITHOUT ROWID;

CREATE TABLE archive_range (
  item_no           TEXT NOT NULL REFERENCES archive_item (item_no),
  position          INTEGER NOT NULL,
  camera_uuid       TEXT NOT NULL CHECK (length(camera_uuid) = 32),
  camera_id         TEXT NOT NULL,
  camera            TEXT NOT NULL,              -- its name then
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  PRIMARY KEY (item_no, position),
  CHECK (from_at < to_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE archive_signature (
  item_no           TEXT NOT NULL REFERENCES archive_destruction (item_no),
  box               TEXT NOT NULL CHECK (box IN ('custodian', 'head')),
  account           TEXT NOT NULL,
  name              TEXT NOT NULL,
  role              TEXT NOT NULL,
  at                INTEGER NOT NULL,
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of the record as it was signed
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq),
  PRIMARY KEY (item_no, box)
) STRICT, WITHOUT ROWID;

CREATE TABLE archive_volume (
  only_one          INTEGER PRIMARY KEY CHECK (only_one = 1),
  uuid              TEXT NOT NULL CHECK (length(uuid) = 32),
  taken_at          INTEGER NOT NULL
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

CREATE TABLE audit_head (
  head_id           INTEGER PRIMARY KEY,
  origin            TEXT NOT NULL CHECK (origin LIKE 'custos/%'),
  size              INTEGER NOT NULL CHECK (size >= 0), -- entries covered
  root              BLOB NOT NULL CHECK (length(root) = 32),
  last_hash         BLOB NOT NULL CHECK (length(last_hash) = 32), -- of the last entry; zeros for none
  at                INTEGER NOT NULL,
  how               TEXT NOT NULL CHECK (how IN ('signed', 'told', 'accepted', 'asked')), -- signed here; only named to us; accepted by a person though it did not fit; asked: of this log, sent to be signed
  audit_seq         INTEGER,                    -- the entry that tells of it: of the first one of an origin, and of each accepted one
  CHECK (how <> 'accepted' OR audit_seq IS NOT NULL)
) STRICT;

CREATE TABLE audit_head_refused (
  only              INTEGER PRIMARY KEY CHECK (only = 1),
  origin            TEXT NOT NULL,
  size              INTEGER NOT NULL CHECK (size >= 0),
  root              BLOB NOT NULL CHECK (length(root) = 32),
  last_hash         BLOB NOT NULL CHECK (length(last_hash) = 32),
  since             INTEGER NOT NULL,           -- first refusal in a row
  audit_seq         INTEGER NOT NULL            -- the entry that tells of that one
) STRICT;

CREATE TABLE audit_key (
  first_seq         INTEGER PRIMARY KEY,        -- the audit entry that tells of it
  fingerprint       TEXT NOT NULL CHECK (length(fingerprint) = 64), -- SHA-256 of the public key (SubjectPublicKeyInfo, DER)
  public_pem        TEXT NOT NULL,
  first_used_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_log (
  only              INTEGER PRIMARY KEY CHECK (only = 1),
  id                TEXT NOT NULL CHECK (length(id) = 16), -- hex, random
  written_at        INTEGER                     -- last time that writing was tried and went well
, parted_from TEXT CHECK (length(parted_from) = 16), parted_size INTEGER
  CHECK ((parted_size IS NULL) = (parted_from IS NULL) AND coalesce(parted_size, 0) >= 0)) STRICT;

CREATE TABLE audit_tile (
  level             INTEGER NOT NULL CHECK (level BETWEEN 1 AND 6),
  position          INTEGER NOT NULL CHECK (position >= 0), -- of the subtree among those of its level
  hash              BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_witness (
  checkpoint_id     INTEGER NOT NULL REFERENCES audit_checkpoint (checkpoint_id),
  how               TEXT NOT NULL CHECK (how IN ('syslog', 'command', 'print')),
  at                INTEGER NOT NULL,
  by_name           TEXT,                       -- who vouches for it; null when the recorder sent it by itself
  audit_seq         INTEGER NOT NULL,
  PRIMARY KEY (checkpoint_id, how)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_line (
  line              INTEGER PRIMARY KEY CHECK (line > 0), -- running number, without a hole
  used_at           INTEGER NOT NULL,           -- 日期時間 of the use; a correction carries that of the line it corrects
  entered_at        INTEGER NOT NULL,
  act               TEXT NOT NULL CHECK (act IN ('view', 'copy')),
  use_seq           INTEGER NOT NULL REFERENCES audit_entry (seq), -- the entry of the viewing or the copy; the same for all corrections
  object            TEXT NOT NULL,              -- viewing session or copy, as that entry names it
  account           TEXT NOT NULL,              -- who opened or released it, as that entry names them
  application       TEXT NOT NULL,
  applicant         TEXT NOT NULL,
  unit              TEXT NOT NULL,              -- of the applicant; empty when there is none
  matter            TEXT NOT NULL,
  basis             TEXT NOT NULL,              -- on what ground it was shown or given
  is_accompanied    INTEGER NOT NULL CHECK (is_accompanied IN (0, 1)), -- 陪同閱覽
  is_copied         INTEGER NOT NULL CHECK (is_copied IN (0, 1)),      -- 複製
  is_for_inquiry    INTEGER NOT NULL CHECK (is_for_inquiry IN (0, 1)), -- 提供檢調
  other_use         TEXT,                       -- 其他, with its text
  corrects          INTEGER REFERENCES book_line (line),
  reason            TEXT,                       -- of a correction
  corrected_by      TEXT,
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of the line's canonical text; audit entry audit_seq has it too
  audit_seq         INTEGER NOT NULL UNIQUE REFERENCES audit_entry (seq), -- book.entered or book.corrected
  CHECK (is_accompanied + is_copied + is_for_inquiry > 0 OR other_use IS NOT NULL),
  CHECK ((corrects IS NULL) = (reason IS NULL) AND (corrects IS NULL) = (corrected_by IS NULL)),
  CHECK (corrects < line)
) STRICT;

CREATE TABLE book_person (
  line              INTEGER NOT NULL REFERENCES book_line (line),
  position          INTEGER NOT NULL,
  name              TEXT NOT NULL,
  name_key          TEXT NOT NULL,              -- the name without blanks, widths and cases
  part              TEXT NOT NULL CHECK (part IN ('applicant', 'agent', 'receiver', 'present')),
  PRIMARY KEY (line, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_range (
  line              INTEGER NOT NULL REFERENCES book_line (line),
  position          INTEGER NOT NULL,
  camera_uuid       TEXT NOT NULL CHECK (length(camera_uuid) = 32),
  camera            TEXT NOT NULL,              -- its name then
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  PRIMARY KEY (line, position),
  CHECK (from_at < to_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_reconciliation (
  reconciliation_id INTEGER PRIMARY KEY,
  at                INTEGER NOT NULL,
  lines             INTEGER NOT NULL,
  uses              INTEGER NOT NULL,
  orphan_count      INTEGER NOT NULL,
  orphans           TEXT NOT NULL,
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq)
) STRICT;

CREATE TABLE book_signature (
  line              INTEGER NOT NULL REFERENCES book_line (line),
  box               TEXT NOT NULL CHECK (box IN ('custodian', 'head')),
  account           TEXT NOT NULL,
  name              TEXT NOT NULL,
  role              TEXT NOT NULL,
  at                INTEGER NOT NULL,
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of the line as it was signed
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq),
  PRIMARY KEY (line, box)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_waiting (
  line              INTEGER PRIMARY KEY REFERENCES book_line (line),
  used_at           INTEGER NOT NULL,
  box               TEXT NOT NULL CHECK (box IN ('custodian', 'head'))
) STRICT;

CREATE VIRTUAL TABLE book_words USING fts5 (who, matter, application, uses, content = '', columnsize = 0, tokenize = 'ascii', prefix = '6');

CREATE TABLE 'book_words_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE 'book_words_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'book_words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

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

CREATE TABLE case_hold (
  hold_id           TEXT PRIMARY KEY CHECK (length(hold_id) = 32), -- chosen here: asked for again, it is the same hold
  application       TEXT NOT NULL REFERENCES application (number) DEFERRABLE INITIALLY DEFERRED, -- written before its case is
  version           INTEGER NOT NULL,           -- of the case: the step that wished it; 0 for what was held before this table was
  camera_uuid       TEXT NOT NULL,              -- the recorder knows the camera
  stream            TEXT,                       -- null: all streams; another only in what a command placed before this table was
  from_at           INTEGER NOT NULL,
  to_at             INTEGER NOT NULL,           -- half-open
  authority         TEXT NOT NULL,
  wished_by         TEXT NOT NULL,              -- canonical JSON
  wished_at         INTEGER NOT NULL,
  state             TEXT NOT NULL CHECK (state IN ('wanted', 'held', 'ending', 'ended')), -- ending: let go here, and the recorder may have it
  changed_at        INTEGER NOT NULL,           -- since when it is in this state
  is_asked          INTEGER NOT NULL DEFAULT 0 CHECK (is_asked IN (0, 1)), -- the recorder was asked to place it, and may have done it whatever it answered
  held_at           INTEGER,                    -- when the recorder said so; null again where it was found to have lost it
  slots             INTEGER,                    -- what it covered before it was placed; null: not known
  bytes             INTEGER,
  newly_held        INTEGER,                    -- of the slots, those that were in no hold
  let_go_by         TEXT,                       -- canonical JSON
  let_go_at         INTEGER,
  let_go_reason     TEXT,
  trouble           TEXT,                       -- why the last try failed; null once one succeeded
  trouble_code      TEXT,
  is_refused        INTEGER NOT NULL DEFAULT 0 CHECK (is_refused IN (0, 1)), -- by the recorder, for good: a person must act
  CHECK (to_at > from_at),
  CHECK ((state IN ('wanted', 'held')) = (let_go_at IS NULL)),
  CHECK ((let_go_at IS NULL) = (let_go_by IS NULL) AND (let_go_at IS NULL) = (let_go_reason IS NULL)),
  CHECK (state != 'held' OR held_at IS NOT NULL)
) STRICT;

CREATE TABLE copy_job (
  copy_id           TEXT PRIMARY KEY CHECK (length(copy_id) = 32), -- names its folder; 32 hex digits
  package_id        TEXT NOT NULL UNIQUE,       -- 115-調-0001-1: application and running number
  application       TEXT NOT NULL,              -- number of the case; of an own decision its own number, 115-存-0001
  count             INTEGER NOT NULL CHECK (count > 0), -- which package of this application
  intent            TEXT NOT NULL CHECK (intent IN ('release', 'preserve', 'decision')), -- to be handed over; kept by an approved 申請保存; kept by the office's own decision
  target_kind       TEXT NOT NULL CHECK (target_kind IN ('here', 'folder', 'zip', 'medium')),
  target_path       TEXT,                       -- folder in which the package is put; null for 'here'
  reason            TEXT NOT NULL,              -- why it is made, or kept
  asked_by          TEXT NOT NULL,              -- person key
  asked_name        TEXT NOT NULL,
  asked_role        TEXT NOT NULL,
  asked_at          INTEGER NOT NULL,
  asked_seq         INTEGER NOT NULL REFERENCES audit_entry (seq), -- copy.asked, which holds the scope
  state             TEXT NOT NULL CHECK (state IN ('queued', 'reading', 'packing', 'ready', 'releasing', 'released', 'kept', 'failed', 'cancelled')),
  done_bytes        INTEGER NOT NULL DEFAULT 0 CHECK (done_bytes >= 0), -- of footage, in this stage
  total_bytes       INTEGER CHECK (total_bytes >= 0), -- as far as it is known
  error_code        TEXT,                       -- of the last try that failed
  error_text        TEXT,
  witness_by        TEXT,                       -- person key of who releases it
  witness_name      TEXT,
  witness_role      TEXT,
  handed_to         TEXT,                       -- SHA-256 of the recipient and the witness as they stand in the package that was sealed, hex
  manifest_sha256   TEXT CHECK (length(manifest_sha256) = 64),
  archive_item      TEXT,                       -- item of the archive that holds the Master
  ended_at          INTEGER,
  is_published      INTEGER NOT NULL DEFAULT 0 CHECK (is_published IN (0, 1)), -- stands under its name at the target
  CHECK ((target_kind = 'here') = (target_path IS NULL)),
  CHECK ((state IN ('released', 'kept', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
  CHECK (state <> 'failed' OR error_code IS NOT NULL),
  CHECK (state NOT IN ('released', 'kept') OR (manifest_sha256 IS NOT NULL AND witness_by IS NOT NULL AND witness_by <> asked_by)),
  UNIQUE (application, count)
) STRICT;

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

CREATE TABLE inbox_message (
  system            TEXT NOT NULL,
  message_id        TEXT NOT NULL,
  message_sha256    TEXT NOT NULL CHECK (length(message_sha256) = 64), -- of the signed bytes
  key_id            TEXT NOT NULL REFERENCES inbox_key (key_id),
  application       TEXT NOT NULL REFERENCES application (number),
  taken_at          INTEGER NOT NULL,
  PRIMARY KEY (system, message_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
  incident_id       INTEGER PRIMARY KEY,
  title             TEXT NOT NULL,
  from_at           INTEGER NOT NULL,           -- when it happened, as far as known at opening
  to_at             INTEGER NOT NULL,
  application       TEXT,
  opened_at         INTEGER NOT NULL,
  opened_by         TEXT NOT NULL,
  closed_at         INTEGER,
  closed_by         TEXT,
  CHECK (from_at < to_at),
  CHECK ((closed_at IS NULL) = (closed_by IS NULL))
) STRICT;

CREATE TABLE incident_note (
  note_id           INTEGER PRIMARY KEY,
  incident_id       INTEGER NOT NULL REFERENCES incident (incident_id),
  kind              TEXT NOT NULL CHECK (kind IN ('what', 'range', 'person', 'measure', 'notice')),
  text              TEXT NOT NULL,
  happened_at       INTEGER,                    -- when the measure was taken or the notice sent
  camera_uuid       TEXT CHECK (length(camera_uuid) = 32),
  from_at           INTEGER,
  to_at             INTEGER,
  written_at        INTEGER NOT NULL,
  written_by        TEXT NOT NULL,
  CHECK ((kind = 'range') = (camera_uuid IS NOT NULL) AND (camera_uuid IS NULL) = (from_at IS NULL) AND (from_at IS NULL) = (to_at IS NULL))
) STRICT;

CREATE TABLE reference_image (
  id                TEXT PRIMARY KEY CHECK (length(id) = 32), -- hex
  camera_uuid       TEXT NOT NULL CHECK (length(camera_uuid) = 32),
  taken_at          INTEGER NOT NULL,           -- of the frame
  size_bytes        INTEGER NOT NULL CHECK (size_bytes > 0),
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of the file
  approved_by       TEXT NOT NULL,
  approved_seq      INTEGER NOT NULL UNIQUE REFERENCES audit_entry (seq)
) STRICT;

CREATE TABLE review_pack (
  pack_id           INTEGER PRIMARY KEY,
  month             TEXT NOT NULL CHECK (length(month) = 7), -- 2026-11, by local days
  content           TEXT NOT NULL,              -- canonical JSON
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64),
  made_at           INTEGER NOT NULL,
  made_by           TEXT NOT NULL,
  signed_by         TEXT,
  signed_at         INTEGER,
  remark            TEXT,
  CHECK ((signed_by IS NULL) = (signed_at IS NULL))
) STRICT;

CREATE TABLE schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;

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

CREATE TABLE sign_in_failure (
  name_hash         BLOB PRIMARY KEY CHECK (length(name_hash) = 32),
  failures          INTEGER NOT NULL,           -- since the last success or lock
  locked_steady     INTEGER NOT NULL,           -- locked until
  failed_steady     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE undertaking (
  undertaking_id    INTEGER PRIMARY KEY,
  account_id        TEXT NOT NULL REFERENCES account (account_id),
  kind              TEXT NOT NULL CHECK (kind IN ('entry', 'leaving')),
  version           TEXT NOT NULL,              -- of the text that was signed
  signed_at         INTEGER,                    -- null: not signed, and the note says why
  note              TEXT,
  CHECK (signed_at IS NOT NULL OR note IS NOT NULL)
) STRICT;

CREATE TABLE unknown_hold (
  hold_id           TEXT PRIMARY KEY CHECK (length(hold_id) = 32),
  application       TEXT NOT NULL,
  noticed_at        INTEGER NOT NULL,
  gone_at           INTEGER                     -- no longer held by the recorder
) STRICT;

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

CREATE INDEX account_password_of ON account_password (account_id, password_id);

CREATE UNIQUE INDEX account_request_open ON account_request (account_id) WHERE decision IS NULL;

CREATE INDEX application_due ON application (nominal_day) WHERE nominal_day IS NOT NULL;

CREATE INDEX application_grant_open ON application_grant (valid_until) WHERE ended_at IS NULL;

CREATE INDEX application_own ON application (applicant_account) WHERE applicant_account IS NOT NULL;

CREATE INDEX archive_hold_of ON archive_hold (item_no);

CREATE INDEX archive_item_of_application ON archive_item (application);

CREATE INDEX archive_item_there ON archive_item (expires_at) WHERE state <> 'destroyed';

CREATE INDEX audit_checkpoint_by_size ON audit_checkpoint (size);

CREATE INDEX audit_entry_by_application ON audit_entry (application, seq) WHERE application IS NOT NULL;

CREATE INDEX audit_entry_by_time ON audit_entry (at, seq) WHERE action NOT IN ('segment.sealed', 'slot.overwritten');

CREATE INDEX audit_entry_of_book ON audit_entry (action, seq) WHERE action IN ('viewing.opened', 'copy.released', 'book.entered', 'book.corrected', 'book.signed');

CREATE INDEX book_line_accompanied ON book_line (used_at, line) WHERE is_accompanied = 1;

CREATE INDEX book_line_by_application ON book_line (application, used_at, line);

CREATE INDEX book_line_by_time ON book_line (used_at, line);

CREATE INDEX book_line_by_use_seq ON book_line (use_seq);

CREATE INDEX book_line_copied ON book_line (used_at, line) WHERE is_copied = 1;

CREATE UNIQUE INDEX book_line_corrected_once ON book_line (corrects) WHERE corrects IS NOT NULL;

CREATE INDEX book_line_for_inquiry ON book_line (used_at, line) WHERE is_for_inquiry = 1;

CREATE UNIQUE INDEX book_line_of_use ON book_line (use_seq) WHERE corrects IS NULL;

CREATE INDEX book_line_other ON book_line (used_at, line) WHERE other_use IS NOT NULL;

CREATE INDEX book_person_by_name ON book_person (name_key, line);

CREATE INDEX book_range_by_camera ON book_range (camera_uuid, to_at, from_at);

CREATE INDEX book_reconciliation_by_time ON book_reconciliation (at);

CREATE INDEX book_waiting_by_time ON book_waiting (used_at, line);

CREATE INDEX break_glass_standing ON break_glass (opening_id) WHERE opened_at IS NOT NULL AND (closed_at IS NULL OR settled_at IS NULL);

CREATE INDEX case_hold_of_application ON case_hold (application) WHERE state != 'ended';

CREATE INDEX case_hold_to_do ON case_hold (state) WHERE state IN ('wanted', 'ending');

CREATE INDEX case_hold_waiting ON case_hold (changed_at) WHERE state IN ('wanted', 'ending');

CREATE INDEX case_hold_wished ON case_hold (application, version);

CREATE INDEX copy_job_waiting ON copy_job (asked_at) WHERE ended_at IS NULL;

CREATE INDEX deputy_by_deputy ON deputy (deputy_account_id);

CREATE UNIQUE INDEX hand_over_open ON hand_over (from_id, role) WHERE taken_at IS NULL;

CREATE INDEX inbox_file_pending ON inbox_file (file_id) WHERE moved_at IS NULL;

CREATE INDEX incident_note_of ON incident_note (incident_id, note_id);

CREATE INDEX reference_image_by_camera ON reference_image (camera_uuid, taken_at);

CREATE INDEX review_pack_by_month ON review_pack (month);

CREATE INDEX session_open ON session (account_id, began_steady) WHERE ended_at IS NULL;

CREATE INDEX sign_in_failure_oldest ON sign_in_failure (failed_steady);

CREATE INDEX undertaking_of ON undertaking (account_id, kind);

CREATE INDEX unknown_hold_standing ON unknown_hold (noticed_at) WHERE gone_at IS NULL;

CREATE INDEX viewing_session_by_application ON viewing_session (application, opened_at) WHERE application IS NOT NULL;

CREATE INDEX viewing_session_open ON viewing_session (opened_at) WHERE closed_at IS NULL;
