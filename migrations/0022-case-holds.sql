-- What each case wants held; table `hold` is the recorder's, and says what is held. A step writes its wish here in its
-- own transaction, the recorder is asked afterwards. Columns `..._at` are wall time, UTC milliseconds.
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
CREATE INDEX case_hold_of_application ON case_hold (application) WHERE state != 'ended';
CREATE INDEX case_hold_wished ON case_hold (application, version);
CREATE INDEX case_hold_to_do ON case_hold (state) WHERE state IN ('wanted', 'ending');
CREATE INDEX case_hold_waiting ON case_hold (changed_at) WHERE state IN ('wanted', 'ending');
CREATE TRIGGER case_hold_stays BEFORE DELETE ON case_hold BEGIN SELECT RAISE(ABORT, 'what a case held is ended, never deleted'); END;

-- What the recorder holds for an application and this office knows nothing of, as after a backup came back. It stays
-- held; only a person ends it.
CREATE TABLE unknown_hold (
  hold_id           TEXT PRIMARY KEY CHECK (length(hold_id) = 32),
  application       TEXT NOT NULL,
  noticed_at        INTEGER NOT NULL,
  gone_at           INTEGER                     -- no longer held by the recorder
) STRICT;
CREATE INDEX unknown_hold_standing ON unknown_hold (noticed_at) WHERE gone_at IS NULL;

-- Holds of cases placed until now are held. A hold of an application that is none of this office stays the recorder's.
INSERT INTO case_hold (hold_id, application, version, camera_uuid, stream, from_at, to_at, authority, wished_by, wished_at, state, changed_at, is_asked, held_at)
  SELECT hold_id, application, 0, camera_uuid, stream, from_at, to_at, authority,
    json_object('kind', 'account', 'name', placed_by, 'role', NULL, 'source', NULL), placed_at, 'held', placed_at, 1, placed_at
  FROM hold WHERE ended_at IS NULL AND application IN (SELECT number FROM application);
