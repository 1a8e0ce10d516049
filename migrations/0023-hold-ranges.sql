-- Counting the holds of a segment reads all that begin before its end: from the index alone, for there may be tens of
-- thousands.
DROP INDEX hold_in_force;
CREATE INDEX hold_in_force ON hold (camera_uuid, from_at, to_at, stream) WHERE ended_at IS NULL;
