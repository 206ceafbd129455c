// Replicas of PostgreSQL that are read from: how far the server that takes changes has written comes in, a connection to a replica that has come
// so far goes out, or nothing where none has soon. Nothing is ever changed here.

import { setTimeout as sleep } from 'node:timers/promises';

// Milliseconds: how long a replica may take to catch up, and how often it is looked; how long it may take to answer that; for how long all of
// them are left alone where none has.
const CATCHES_UP = 30;
const LOOK = 5;
const ANSWERS = 300;
const REST = 2000;

/** What was committed is written until there, on the server that takes changes. */
export const findWritten = 'SELECT pg_current_wal_flush_lsn()::text AS written';
// Of a server that takes changes nothing.
const findKnown = 'SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= $1::text::pg_lsn END AS is_known';

export class Replicas {
  #pools;
  #restsUntil = 0;

  /** @param {import('pg').Pool[]} pools of every host: any of them may become the one that takes changes */
  constructor(pools) {
    this.#pools = pools;
    // One that breaks while it is used says so to whoever uses it, and besides as an event, which must be heard.
    for (const pool of pools) pool.on('connect', (client) => client.on('error', () => {}));
  }

  get rests() {
    return performance.now() < this.#restsUntil;
  }

  /** @returns {Promise<import('pg').PoolClient | undefined>} whoever has it releases it */
  async knowing(written) {
    for (const pool of this.#pools) {
      const client = await this.#asked(pool, written).catch(() => undefined);
      if (client) return client;
    }
    this.#restsUntil = performance.now() + REST;
    return undefined;
  }

  async #asked(pool, written) {
    const client = await pool.connect();
    try {
      for (const end = performance.now() + CATCHES_UP; ; await sleep(LOOK)) {
        const { rows } = await client.query({ name: 'is-known', text: findKnown, values: [written], query_timeout: ANSWERS });
        if (rows[0].is_known) return client;
        if (rows[0].is_known === null || performance.now() >= end) break;
      }
    } catch (error) {
      client.release(error);
      return undefined;
    }
    client.release();
    return undefined;
  }

  async end() {
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }
}

/** How long a connection to one is waited for. */
export const connectWithin = ANSWERS;
