ALTER TABLE contact_messages DROP COLUMN message
