-- Where a gap lies in the order of recording, which a clock that is set back does not tell. `after_run`: the run
-- before it; 0: before the first. `before_run`: later runs began after it was over; null while it lasts, and in
-- rows of before.
ALTER TABLE gap ADD COLUMN after_run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap ADD COLUMN before_run INTEGER;
CREATE INDEX run_by_number ON run (camera_uuid, stream, run_id);
UPDATE gap SET after_run = coalesce((SELECT run_id FROM run
  WHERE run.camera_uuid = gap.camera_uuid AND run.stream = gap.stream AND run.start_at < gap.start_at
  ORDER BY run.start_at DESC LIMIT 1), 0);
