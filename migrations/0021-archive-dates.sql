-- A copy that is put in while the clocks disagree is dated when they agree again, and never earlier than it was.
-- `stamp_timeline`, `stamp_at`: trusted time at its putting in; null once it is dated, and where the clocks agreed.
ALTER TABLE archive_item ADD COLUMN stamp_timeline TEXT;
ALTER TABLE archive_item ADD COLUMN stamp_at INTEGER;
-- How much later it was made than `made_at`; its end moves by as much.
ALTER TABLE archive_item ADD COLUMN later_ms INTEGER NOT NULL DEFAULT 0 CHECK (later_ms >= 0);
CREATE TRIGGER archive_item_dated_later BEFORE UPDATE ON archive_item WHEN NEW.later_ms < OLD.later_ms
  BEGIN SELECT RAISE(ABORT, 'an item is never dated earlier'); END;
