-- Copies that are kept a year on a volume of their own [G3]. Times are UTC milliseconds; what decides on destruction is trusted time. Keys are in no table.

-- The volume this recorder archives to: another one is refused.
CREATE TABLE archive_volume (
  only_one          INTEGER PRIMARY KEY CHECK (only_one = 1),
  uuid              TEXT NOT NULL CHECK (length(uuid) = 32),
  taken_at          INTEGER NOT NULL
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
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq),
  CHECK ((file_no IS NULL) = (filed_by IS NULL) AND (file_no IS NULL) = (filed_at IS NULL)),
  CHECK (state = 'kept' OR file_no IS NULL),
  CHECK ((lost_since IS NULL) = (lost_what IS NULL))
) STRICT;
CREATE INDEX archive_item_of_application ON archive_item (application);
CREATE INDEX archive_item_there ON archive_item (expires_at) WHERE state <> 'destroyed';
CREATE TRIGGER archive_item_stays BEFORE DELETE ON archive_item BEGIN SELECT RAISE(ABORT, 'an archived item is destroyed with a record, its row never deleted'); END;
CREATE TRIGGER archive_item_as_pinned BEFORE UPDATE ON archive_item
  WHEN NEW.item_no IS NOT OLD.item_no OR NEW.made_at IS NOT OLD.made_at OR NEW.recorded_to IS NOT OLD.recorded_to OR NEW.counts_from IS NOT OLD.counts_from OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.footage_sha256 IS NOT OLD.footage_sha256 OR NEW.payload_sha256 IS NOT OLD.payload_sha256 OR NEW.application IS NOT OLD.application
  BEGIN SELECT RAISE(ABORT, 'what pins an item is never changed'); END;
CREATE TRIGGER archive_item_goes_forward BEFORE UPDATE OF state ON archive_item
  WHEN NOT (OLD.state = NEW.state OR (OLD.state = 'kept' AND NEW.state = 'destroying') OR (OLD.state = 'destroying' AND NEW.state = 'destroyed' AND EXISTS (SELECT 1 FROM archive_destruction WHERE item_no = OLD.item_no)))
  BEGIN SELECT RAISE(ABORT, 'an item is kept, then destroyed with a record'); END;

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
CREATE INDEX archive_hold_of ON archive_hold (item_no);
CREATE TRIGGER archive_hold_stays BEFORE DELETE ON archive_hold BEGIN SELECT RAISE(ABORT, 'a hold is ended, never deleted'); END;
CREATE TRIGGER archive_hold_ends_once BEFORE UPDATE ON archive_hold WHEN OLD.ended_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'a hold ends once'); END;
CREATE TRIGGER archive_item_held BEFORE UPDATE OF state ON archive_item
  WHEN OLD.state = 'kept' AND NEW.state = 'destroying' AND EXISTS (SELECT 1 FROM archive_hold WHERE item_no = OLD.item_no AND ended_at IS NULL)
  BEGIN SELECT RAISE(ABORT, 'the item is held'); END;

-- R23: each once for one end date.
CREATE TABLE archive_notice (
  item_no           TEXT NOT NULL REFERENCES archive_item (item_no),
  destroys_at       INTEGER NOT NULL,
  days              INTEGER NOT NULL CHECK (days IN (30, 7, 1)),
  given_at          INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq),
  PRIMARY KEY (item_no, destroys_at, days)
) STRICT, WITHOUT ROWID;

-- 銷毀紀錄 (R24). It leaves by a destruction list of the records staff only (R62).
CREATE TABLE archive_destruction (
  item_no           TEXT PRIMARY KEY REFERENCES archive_item (item_no),
  content           TEXT NOT NULL,              -- canonical JSON
  sha256            TEXT NOT NULL CHECK (length(sha256) = 64), -- of it
  destroyed_at      INTEGER NOT NULL,
  audit_seq         INTEGER NOT NULL UNIQUE REFERENCES audit_entry (seq)
) STRICT;
CREATE TRIGGER archive_destruction_as_written BEFORE UPDATE ON archive_destruction BEGIN SELECT RAISE(ABORT, 'a destruction record is never changed'); END;
CREATE TRIGGER archive_destruction_stays BEFORE DELETE ON archive_destruction BEGIN SELECT RAISE(ABORT, 'a destruction record is never deleted'); END;

-- 管理人員, then 主管, two persons.
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
CREATE TRIGGER archive_signature_in_order BEFORE INSERT ON archive_signature
  WHEN NEW.box = 'head' AND NOT EXISTS (SELECT 1 FROM archive_signature WHERE item_no = NEW.item_no AND box = 'custodian' AND account <> NEW.account)
  BEGIN SELECT RAISE(ABORT, 'the head signs after the custodian, and is another person'); END;
CREATE TRIGGER archive_signature_as_written BEFORE UPDATE ON archive_signature BEGIN SELECT RAISE(ABORT, 'a signature is never changed'); END;
CREATE TRIGGER archive_signature_stays BEFORE DELETE ON archive_signature BEGIN SELECT RAISE(ABORT, 'a signature is never deleted'); END;
