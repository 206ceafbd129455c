-- products: a product that is sold
-- locks: nothing; undo: DROP TABLE products
CREATE TABLE IF NOT EXISTS products (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  stock INTEGER NOT NULL,
  active INTEGER,
  released_at TEXT,
  notes TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  row_version INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT;

-- articles: an article
-- locks: nothing; undo: DROP TABLE articles
CREATE TABLE IF NOT EXISTS articles (
  id TEXT NOT NULL,
  title TEXT NOT NULL,
  slug TEXT NOT NULL,
  summary TEXT,
  body TEXT NOT NULL,
  author_name TEXT,
  category TEXT,
  tags TEXT,
  image_url TEXT,
  language TEXT,
  published_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  row_version INTEGER NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (slug)
) STRICT;

-- outbox_events: events, written in the transaction of the change they tell of
-- locks: nothing; undo: DROP TABLE outbox_events
CREATE TABLE IF NOT EXISTS outbox_events (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  occurred_at TEXT NOT NULL,
  PRIMARY KEY (id)
) STRICT;

-- api_keys: API keys by their hash; the key itself is shown once and kept nowhere
-- locks: nothing; undo: DROP TABLE api_keys
CREATE TABLE IF NOT EXISTS api_keys (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  hint TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_at TEXT NOT NULL,
  revoked_at TEXT,
  expires_at TEXT,
  scopes TEXT,
  last_used_at TEXT,
  replaces TEXT,
  caller TEXT,
  PRIMARY KEY (id),
  UNIQUE (hash)
) STRICT;

-- idempotency_answers: answers by idempotency key, kept for a day with the writes that they tell of
-- locks: nothing; undo: DROP TABLE idempotency_answers
CREATE TABLE IF NOT EXISTS idempotency_answers (
  id TEXT NOT NULL,
  claim TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  headers TEXT NOT NULL,
  body TEXT,
  PRIMARY KEY (id),
  UNIQUE (claim)
) STRICT;

-- products_released_at_idx: `GET /api/products` filters by it
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS products_released_at_idx
CREATE INDEX IF NOT EXISTS products_released_at_idx ON products (released_at, id);
