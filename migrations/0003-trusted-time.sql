-- The time by which footage ages. Times are whole milliseconds, by trusted time or wall clock as said.

-- One row: where trusted time stood when it was last written down.
CREATE TABLE trusted_time (
  id                INTEGER PRIMARY KEY CHECK (id = 1),
  trusted_at        INTEGER NOT NULL,           -- trusted time
  mono_ms           INTEGER NOT NULL,           -- running time of the same boot at that instant
  boot_id           TEXT NOT NULL,              -- the kernel's name of that boot
  wall_at           INTEGER NOT NULL,           -- wall clock at that instant
  is_known          INTEGER NOT NULL CHECK (is_known IN (0, 1)), -- 0: a stand-in that only goes on counting; nothing is erased by it
  claim_ms          INTEGER CHECK (claim_ms >= 0), -- time off that the hardware clock showed and that is not counted yet
  allowance_ms      INTEGER NOT NULL CHECK (allowance_ms >= 0), -- what may still be believed without people
  doubt_since       INTEGER,                    -- trusted time when wall clock and trusted time last agreed; null while they do
  told              TEXT NOT NULL CHECK (told IN ('agreed', 'disagrees', 'waiting', 'unknown')), -- what the audit log was told last
  saved_at          INTEGER NOT NULL            -- wall clock of the newest change to this row
) STRICT;

-- Each is one person's word that the wall clock is right; two within five minutes are an act (P4).
CREATE TABLE time_confirmation (
  confirmation_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name              TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  reason            TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  login             TEXT NOT NULL,              -- who the machine takes them for, e.g. 'uid=0 loginuid=1000 sudo=alice'
  wall_at           INTEGER NOT NULL,           -- what they confirmed
  mono_ms           INTEGER NOT NULL,           -- running time then: the wall clock must not have been set since
  boot_id           TEXT NOT NULL,
  outcome           TEXT CHECK (outcome IN ('counted', 'refused')), -- null until decided
  why               TEXT,                       -- of the refusal, or what was counted
  decided_at        INTEGER,
  CHECK ((outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (why IS NULL))
) STRICT;
CREATE INDEX time_confirmation_open ON time_confirmation (confirmation_id) WHERE outcome IS NULL;

-- Offsets every ten minutes (R76), for the time statement of evidence (E5); the oldest give way after more than a year.
CREATE TABLE clock_sample (
  sample_id         INTEGER PRIMARY KEY AUTOINCREMENT,
  wall_at           INTEGER NOT NULL,
  trusted_at        INTEGER,                    -- null while unknown
  source            TEXT NOT NULL CHECK (source IN ('chrony', 'timesyncd', 'none')),
  is_synchronised   INTEGER CHECK (is_synchronised IN (0, 1)), -- null: nobody can tell
  reference_offset_us INTEGER                   -- wall clock minus time server; null when not told
) STRICT;
