-- stands in until the migration of the two logs is merged
ALTER TABLE audit_log ADD COLUMN parted_from TEXT;
ALTER TABLE audit_log ADD COLUMN parted_size INTEGER;
