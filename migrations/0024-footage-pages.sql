-- Pages of what the office asks look at few rows, and at no table to pass over a row. What overlaps a range is
-- found from where the longest row that reaches into it could begin; rows that last have no length: they are first.
DROP INDEX segment_by_stream;
CREATE INDEX segment_by_stream ON segment (camera_uuid, stream, start_at, end_at, ended_at) WHERE ended_at IS NULL;
CREATE INDEX segment_by_length ON segment (camera_uuid, stream, end_at - start_at, start_at) WHERE ended_at IS NULL;
CREATE INDEX gap_by_length ON gap (camera_uuid, stream, end_at - start_at, start_at);
CREATE INDEX sacrifice_step_by_length ON sacrifice_step (camera_uuid, stream, ended_at - started_at, started_at)
  WHERE mode = 'key-frames';
