-- webhook_events: a call of another system, each once
-- locks: nothing; undo: DROP TABLE webhook_events
CREATE TABLE IF NOT EXISTS webhook_events (
  id TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  event_id TEXT,
  event_type TEXT,
  payload TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  row_version INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT;

-- invoice_notices: what billing are is said by the task
-- locks: nothing; undo: DROP TABLE invoice_notices
CREATE TABLE IF NOT EXISTS invoice_notices (
  id TEXT NOT NULL,
  number TEXT NOT NULL,
  email TEXT COLLATE NOCASE,
  amount INTEGER,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  row_version INTEGER NOT NULL,
  PRIMARY KEY (id)
) STRICT;

-- outbox_events: events, written in the transaction of the change they tell of
-- locks: nothing; undo: DROP TABLE outbox_events
CREATE TABLE IF NOT EXISTS outbox_events (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  occurred_at TEXT NOT NULL,
  dispatched_at TEXT,
  PRIMARY KEY (id)
) STRICT;

-- outbox_deliveries: events on their way to the services that are integrated
-- locks: nothing; undo: DROP TABLE outbox_deliveries
CREATE TABLE IF NOT EXISTS outbox_deliveries (
  id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event TEXT NOT NULL,
  integration TEXT NOT NULL,
  provider TEXT NOT NULL,
  priority INTEGER NOT NULL,
  order_key TEXT,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at TEXT NOT NULL,
  lease TEXT,
  leased_at TEXT,
  leased_until TEXT,
  in_doubt INTEGER NOT NULL,
  progress TEXT,
  problem TEXT,
  created_at TEXT NOT NULL,
  tried_since TEXT NOT NULL,
  ended_at TEXT,
  PRIMARY KEY (id),
  UNIQUE (event_id, integration)
) STRICT;

-- outbox_attempts: what was tried to deliver events
-- locks: nothing; undo: DROP TABLE outbox_attempts
CREATE TABLE IF NOT EXISTS outbox_attempts (
  id TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT NOT NULL,
  outcome TEXT NOT NULL,
  code TEXT,
  problem TEXT,
  record TEXT,
  PRIMARY KEY (id)
) STRICT;

-- outbox_remembered: what integrations keep from one event to the next
-- locks: nothing; undo: DROP TABLE outbox_remembered
CREATE TABLE IF NOT EXISTS outbox_remembered (
  integration TEXT NOT NULL,
  name TEXT NOT NULL,
  whose TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (integration, name, whose)
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

-- inbox_events: what providers have told, each once
-- locks: nothing; undo: DROP TABLE inbox_events
CREATE TABLE IF NOT EXISTS inbox_events (
  id TEXT NOT NULL,
  integration TEXT NOT NULL,
  dedup TEXT NOT NULL,
  kind TEXT NOT NULL,
  happened_at TEXT,
  received_at TEXT NOT NULL,
  body TEXT,
  PRIMARY KEY (id),
  UNIQUE (integration, dedup)
) STRICT;

-- outbox_events_dispatched_at_id_idx: events of which no deliveries were made yet
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS outbox_events_dispatched_at_id_idx
CREATE INDEX IF NOT EXISTS outbox_events_dispatched_at_id_idx ON outbox_events (dispatched_at, id);

-- outbox_deliveries_integration_state_priority_due_at_idx: what is due for an integration
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS outbox_deliveries_integration_state_priority_due_at_idx
CREATE INDEX IF NOT EXISTS outbox_deliveries_integration_state_priority_due_at_idx ON outbox_deliveries (integration, state, priority, due_at);

-- outbox_deliveries_order_key_integration_state_idx: what goes before one of the same key
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS outbox_deliveries_order_key_integration_state_idx
CREATE INDEX IF NOT EXISTS outbox_deliveries_order_key_integration_state_idx ON outbox_deliveries (order_key, integration, state);

-- outbox_deliveries_state_leased_until_idx: what nobody works on any more
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS outbox_deliveries_state_leased_until_idx
CREATE INDEX IF NOT EXISTS outbox_deliveries_state_leased_until_idx ON outbox_deliveries (state, leased_until);

-- outbox_attempts_delivery_id_id_idx: the attempts of a delivery
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS outbox_attempts_delivery_id_id_idx
CREATE INDEX IF NOT EXISTS outbox_attempts_delivery_id_id_idx ON outbox_attempts (delivery_id, id);
