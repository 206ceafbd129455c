// Events for other systems, written in the transaction of the rows they tell about: both are kept, or neither.

import { uuidv7 } from './identifiers.js';

const insertEvent = `INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, ?)`;

export class Outbox {
  #onEmitted;

  /** @param {{ onEmitted?: (name: string) => void }} [options] called once the event is durable */
  constructor({ onEmitted = () => {} } = {}) {
    this.#onEmitted = onEmitted;
  }

  /**
   * @param {string} occurredAt UTC, ISO 8601 with milliseconds
   * @param {string} [id] a UUID of version 7, where the event has one already
   */
  async emit(transaction, name, payload, occurredAt, id = uuidv7()) {
    await transaction.add(insertEvent, [id, name, JSON.stringify(payload), new Date(occurredAt)]);
    transaction.hasEvents = true;
    transaction.whenCommitted(() => this.#onEmitted(name));
  }
}
