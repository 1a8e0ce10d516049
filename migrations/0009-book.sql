-- The log book (附件5) and what is read out of it. Lines are added, never changed: a slip is put right by a new line. Times are UTC milliseconds by the wall clock.

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
CREATE UNIQUE INDEX book_line_of_use ON book_line (use_seq) WHERE corrects IS NULL;
CREATE UNIQUE INDEX book_line_corrected_once ON book_line (corrects) WHERE corrects IS NOT NULL;
CREATE INDEX book_line_by_use_seq ON book_line (use_seq);
CREATE INDEX book_line_by_time ON book_line (used_at, line);
CREATE INDEX book_line_by_application ON book_line (application, used_at, line);
CREATE INDEX book_line_accompanied ON book_line (used_at, line) WHERE is_accompanied = 1;
CREATE INDEX book_line_copied ON book_line (used_at, line) WHERE is_copied = 1;
CREATE INDEX book_line_for_inquiry ON book_line (used_at, line) WHERE is_for_inquiry = 1;
CREATE INDEX book_line_other ON book_line (used_at, line) WHERE other_use IS NOT NULL;
CREATE TRIGGER book_line_in_order BEFORE INSERT ON book_line WHEN NEW.line <> (SELECT coalesce(max(line), 0) + 1 FROM book_line)
  BEGIN SELECT RAISE(ABORT, 'book lines are added at the end'); END;
CREATE TRIGGER book_line_is_never_changed BEFORE UPDATE ON book_line BEGIN SELECT RAISE(ABORT, 'a book line is never changed'); END;
CREATE TRIGGER book_line_is_never_deleted BEFORE DELETE ON book_line BEGIN SELECT RAISE(ABORT, 'a book line is never deleted'); END;

-- What was seen or given.
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
CREATE INDEX book_range_by_camera ON book_range (camera_uuid, to_at, from_at);
CREATE TRIGGER book_range_is_never_changed BEFORE UPDATE ON book_range BEGIN SELECT RAISE(ABORT, 'a book line is never changed'); END;
CREATE TRIGGER book_range_is_never_deleted BEFORE DELETE ON book_range BEGIN SELECT RAISE(ABORT, 'a book line is never deleted'); END;

-- Who saw it or received it.
CREATE TABLE book_person (
  line              INTEGER NOT NULL REFERENCES book_line (line),
  position          INTEGER NOT NULL,
  name              TEXT NOT NULL,
  name_key          TEXT NOT NULL,              -- the name without blanks, widths and cases
  part              TEXT NOT NULL CHECK (part IN ('applicant', 'agent', 'receiver', 'present')),
  PRIMARY KEY (line, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX book_person_by_name ON book_person (name_key, line);
CREATE TRIGGER book_person_is_never_changed BEFORE UPDATE ON book_person BEGIN SELECT RAISE(ABORT, 'a book line is never changed'); END;
CREATE TRIGGER book_person_is_never_deleted BEFORE DELETE ON book_person BEGIN SELECT RAISE(ABORT, 'a book line is never deleted'); END;

-- 簽章: 管理人員, then 主管, two persons.
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
CREATE TRIGGER book_signature_in_order BEFORE INSERT ON book_signature
  WHEN NEW.box = 'head' AND NOT EXISTS (SELECT 1 FROM book_signature WHERE line = NEW.line AND box = 'custodian' AND account <> NEW.account)
  BEGIN SELECT RAISE(ABORT, 'the head signs after the custodian, and is another person'); END;
CREATE TRIGGER book_signature_is_never_changed BEFORE UPDATE ON book_signature BEGIN SELECT RAISE(ABORT, 'a signature is never changed'); END;
CREATE TRIGGER book_signature_is_never_deleted BEFORE DELETE ON book_signature BEGIN SELECT RAISE(ABORT, 'a signature is never deleted'); END;

-- Lines that wait for a signature: a work list, kept by triggers. A struck-through line waits no more; the one that corrects it does.
CREATE TABLE book_waiting (
  line              INTEGER PRIMARY KEY REFERENCES book_line (line),
  used_at           INTEGER NOT NULL,
  box               TEXT NOT NULL CHECK (box IN ('custodian', 'head'))
) STRICT;
CREATE INDEX book_waiting_by_time ON book_waiting (used_at, line);
CREATE TRIGGER book_line_waits AFTER INSERT ON book_line BEGIN
  INSERT INTO book_waiting VALUES (NEW.line, NEW.used_at, 'custodian');
  DELETE FROM book_waiting WHERE line = NEW.corrects;
END;
CREATE TRIGGER book_signature_counts AFTER INSERT ON book_signature BEGIN
  UPDATE book_waiting SET box = 'head' WHERE line = NEW.line AND NEW.box = 'custodian';
  DELETE FROM book_waiting WHERE line = NEW.line AND NEW.box = 'head';
END;

-- Words of the lines as pairs of characters in hex, so that a Chinese name is found from any part of it.
CREATE VIRTUAL TABLE book_words USING fts5 (who, matter, application, uses, content = '', columnsize = 0, tokenize = 'ascii', prefix = '6');

-- What each reconciliation found, `orphans` as canonical JSON.
CREATE TABLE book_reconciliation (
  reconciliation_id INTEGER PRIMARY KEY,
  at                INTEGER NOT NULL,
  lines             INTEGER NOT NULL,
  uses              INTEGER NOT NULL,
  orphan_count      INTEGER NOT NULL,
  orphans           TEXT NOT NULL,
  audit_seq         INTEGER NOT NULL REFERENCES audit_entry (seq)
) STRICT;
CREATE INDEX book_reconciliation_by_time ON book_reconciliation (at);

-- R75: the pack of a month, and who signed it.
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
CREATE INDEX review_pack_by_month ON review_pack (month);
CREATE TRIGGER review_pack_stays BEFORE DELETE ON review_pack BEGIN SELECT RAISE(ABORT, 'a review pack is signed, never deleted'); END;
CREATE TRIGGER review_pack_is_signed_once BEFORE UPDATE ON review_pack
  WHEN OLD.signed_at IS NOT NULL OR NEW.content IS NOT OLD.content OR NEW.sha256 IS NOT OLD.sha256 OR NEW.month IS NOT OLD.month OR NEW.made_at IS NOT OLD.made_at OR NEW.made_by IS NOT OLD.made_by
  BEGIN SELECT RAISE(ABORT, 'a review pack is signed once and not changed'); END;

-- R61: incident files. What is known grows by notes; nothing is taken back.
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
CREATE TRIGGER incident_stays BEFORE DELETE ON incident BEGIN SELECT RAISE(ABORT, 'an incident is closed, never deleted'); END;
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
CREATE INDEX incident_note_of ON incident_note (incident_id, note_id);
CREATE TRIGGER incident_note_is_never_changed BEFORE UPDATE ON incident_note BEGIN SELECT RAISE(ABORT, 'a note is never changed'); END;
CREATE TRIGGER incident_note_is_never_deleted BEFORE DELETE ON incident_note BEGIN SELECT RAISE(ABORT, 'a note is never deleted'); END;

-- The audit log by what was done and by when, without the entries each slot makes: millions a month that tell of no person.
CREATE INDEX audit_entry_of_book ON audit_entry (action, seq) WHERE action IN ('viewing.opened', 'copy.released', 'book.entered', 'book.corrected', 'book.signed');
CREATE INDEX audit_entry_by_time ON audit_entry (at, seq) WHERE action NOT IN ('segment.sealed', 'slot.overwritten');
